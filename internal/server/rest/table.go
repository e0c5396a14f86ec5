package rest

import (
	"cmp"
	"slices"
)

// table finds the row for a path. The path alone decides, whatever the method: where a repository's name contains a
// route's words the route wins, and among several the one with the most segments of its own. A client that means the
// name escapes its slashes.
type table struct {
	entries []*entry
}

// entry is one pattern with its rows by method.
type entry struct {
	pattern pattern
	routes  map[string]*route
}

func newTable(routes []*route) table {
	var t table
	bySource := map[string]*entry{}
	for _, r := range routes {
		e := bySource[r.Path]
		if e == nil {
			e = &entry{parsePattern(r.Path), map[string]*route{}}
			bySource[r.Path] = e
			t.entries = append(t.entries, e)
		}
		e.routes[r.Method] = r
	}
	slices.SortFunc(t.entries, func(a, b *entry) int {
		return cmp.Or(
			cmp.Compare(b.pattern.fixed(), a.pattern.fixed()),
			cmp.Compare(b.pattern.literals(), a.pattern.literals()),
			cmp.Compare(a.pattern.source, b.pattern.source),
		)
	})
	return t
}

// find gives the entry for a path as it was sent, and whether the pattern's final slash was missing from it.
func (t *table) find(escaped string) (e *entry, path Path, missingSlash bool) {
	sent, ok := parsePath(escaped)
	if !ok {
		return nil, Path{}, false
	}
	for _, e := range t.entries {
		if e.pattern.literals() == 0 && IsReserved(sent.segments[0]) {
			continue
		}
		if path, ok := e.pattern.match(sent); ok {
			return e, path, e.pattern.slash && !sent.slash
		}
	}
	return nil, Path{}, false
}

// Operation is a row as others see it.
type Operation struct {
	Method string
	Path   string
	Off    bool // answers as switched off
}

// Operations lists what the API has, in no particular order.
func (a *API) Operations() []Operation {
	var all []Operation
	for _, r := range a.rows {
		all = append(all, Operation{r.Method, r.Path, r.Off != 0})
	}
	return all
}
