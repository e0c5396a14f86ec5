package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/longshore-registry/longshore/internal/config/document"
)

// table finds the row of a name.
type table struct {
	rows     []Key
	exact    map[string]int
	patterns []int                     // longest first, so that the most particular one wins
	defaults map[string]*document.Node // by the names of the rows; a row without a default has none
}

func newTable() table {
	t := table{exact: map[string]int{}}
	for _, c := range Chapters() {
		t.rows = append(t.rows, c.Keys...)
	}
	for i, k := range t.rows {
		if strings.Contains(k.Name, "*") {
			t.patterns = append(t.patterns, i)
			continue
		}
		t.exact[k.Name] = i
		for _, a := range k.Aliases {
			t.exact[a] = i
		}
	}
	t.defaults = readDefaults(t.rows)
	slices.SortStableFunc(t.patterns, func(a, b int) int { return cmp.Compare(len(t.rows[b].Name), len(t.rows[a].Name)) })
	return t
}

// readDefaults reads the defaults of the rows as if they stood in a file.
func readDefaults(rows []Key) map[string]*document.Node {
	var text strings.Builder
	for _, k := range rows {
		if k.Default != "" {
			fmt.Fprintf(&text, "%q: %s\n", k.Name, k.Default)
		}
	}
	nodes := map[string]*document.Node{}
	root, problems := document.Parse([]byte(text.String()))
	if len(problems) > 0 {
		return nodes // a test holds that every default can be read
	}
	for _, f := range root.Fields {
		nodes[f.Name] = f.Value
	}
	return nodes
}

// canonicalDefault is the canonical form of a row's default, empty when it has none.
func (t table) canonicalDefault(row Key) string {
	n, ok := t.defaults[row.Name]
	if !ok {
		return ""
	}
	return row.typ.canonical(newReader(row.typ), n)
}

// find gives the row of a name.
func (t table) find(name string) (Key, bool) {
	if i, ok := t.exact[name]; ok {
		return t.rows[i], true
	}
	for _, i := range t.patterns {
		if t.rows[i].matches(name) {
			return t.rows[i], true
		}
	}
	return Key{}, false
}

// names are the known names in a map, patterns left out; those of the file itself for the empty parent.
func (t table) names(parent string) []string {
	var names []string
	for name := range t.exact {
		if parentOf(name) == parent {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// parentOf is a name without its last part.
func parentOf(name string) string { return name[:max(strings.LastIndexByte(name, '.'), 0)] }
