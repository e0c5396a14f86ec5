package rest

// flag reads a boolean of a query in Quay's notation and gives it in Go's: everything is true but a few words.
func flag(value string) string {
	switch value {
	case "", "false", "False", "FALSE", "0", "null":
		return "false"
	}
	return "true"
}
