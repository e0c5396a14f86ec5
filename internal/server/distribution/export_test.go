package distribution

// Route is what tests see of a row.
type Route struct {
	Method, Label string
	Repository    bool // the path names one
	Writes        bool
}

// Routes lists the rows.
func Routes() []Route {
	var list []Route
	for _, r := range routes() {
		list = append(list, Route{
			Method: r.method, Label: r.label, Repository: r.need == needPull || r.need == needPush, Writes: r.need == needPush,
		})
	}
	return list
}
