package fs

// Resolve gives the file that a path means.
func (d *Driver) Resolve(path string) (string, error) { return d.file(path) }
