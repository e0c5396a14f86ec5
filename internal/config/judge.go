package config

import (
	"fmt"
	"strings"

	"github.com/longshore-registry/longshore/internal/config/document"
)

// take finds the rows of fields. Values that are null count as not given.
func (l *loader) take(prefix string, fields []sourced) {
	for _, f := range fields {
		name := prefix + f.Name
		row, known := Key{}, prefix != "" || !strings.Contains(f.Name, ".")
		if known {
			row, known = l.table.find(name)
		}
		switch {
		case f.Value.Shape == document.Null:
		case !known:
			l.unknown(strings.TrimSuffix(prefix, "."), name, f)
		case row.group && f.Value.Shape == document.Map:
			inner := make([]sourced, 0, len(f.Value.Fields))
			for _, i := range f.Value.Fields {
				inner = append(inner, sourced{i, f.file})
			}
			l.take(name+".", inner)
		default:
			l.set(setting{row: row, name: name, file: f.file, line: f.Line, value: f.Value})
		}
	}
}

func (l *loader) unknown(parent, name string, f sourced) {
	text := "unknown key, without effect"
	if near := nearest(name, l.table.names(parent)); near != "" {
		text += "; the nearest known key is " + near
	}
	l.report.Warnings = append(l.report.Warnings, Finding{f.file, f.Line, name, text})
	l.strange = append(l.strange, name)
}

// set keeps a setting. A key given under two of its names must have the same value both times.
func (l *loader) set(s setting) {
	id := s.row.Name
	if strings.Contains(id, "*") {
		id = s.name
	}
	if s.name != id {
		l.warn(s, "another name of %s, which is the better one", id)
	}
	other, twice := l.settings[id]
	if !twice {
		l.settings[id] = s
		l.order = append(l.order, id)
		return
	}
	if render(other.value) != render(s.value) {
		l.report.Errors = append(l.report.Errors, Finding{s.file, s.line, s.name,
			fmt.Sprintf("found %s; allowed: the value of %s on line %d, which is another name of the same key", s.shown(), other.name, other.line)})
	}
}

func (l *loader) warn(s setting, format string, args ...any) {
	l.report.Warnings = append(l.report.Warnings, Finding{s.file, s.line, s.name, fmt.Sprintf(format, args...)})
}

// shown is the value for people, not shown when it is secret.
func (s setting) shown() string {
	if s.row.Secret() {
		return s.value.Kind()
	}
	return s.value.Describe()
}

// unset reports whether the value counts as not given: an empty text where that is the default, and anything empty
// where the key is not acted upon.
func (s setting) unset() bool {
	if s.row.Kind == Used {
		return s.row.Default == "" && s.value.Shape == document.Text && s.value.Text == ""
	}
	return s.value.IsEmpty()
}

// apply checks the type of every value and puts those of Used keys into the Config.
func (l *loader) apply() {
	for _, id := range l.order {
		s := l.settings[id]
		if s.unset() {
			delete(l.settings, id)
			continue
		}
		r := newReader(s.row.typ)
		if s.row.bind != nil {
			s.row.bind(l.config, r, s.value)
		} else {
			s.row.typ.canonical(r, s.value)
		}
		for _, w := range r.wrongs {
			l.bad[id] = true
			l.report.Errors = append(l.report.Errors, Finding{s.file, w.line, s.name, w.text})
		}
	}
}

// judge says of every setting what its kind demands. A key that another one switches on comes after that one.
func (l *loader) judge() {
	for depth := 0; ; depth++ {
		more := false
		for _, id := range l.order {
			s, ok := l.settings[id]
			if !ok || l.bad[id] {
				continue
			}
			switch d := l.depth(s.row); {
			case d == depth:
				l.judgeOne(id, s)
			case d > depth:
				more = true
			}
		}
		if !more {
			return
		}
	}
}

// depth is how many keys stand before this one.
func (l *loader) depth(row Key) int {
	n := 0
	for row.gate.key != "" {
		row, _ = l.table.find(row.gate.key)
		n++
	}
	return n
}

func (l *loader) judgeOne(id string, s setting) {
	matters := l.matters(s)
	if s.row.Kind == Used {
		if s.row.notice != "" && (s.row.deprecated || matters && l.active(s.row)) {
			l.found[id] = true
			l.warn(s, "%s", s.row.notice)
		}
		return
	}
	if !matters {
		return
	}
	switch {
	case !l.active(s.row):
		l.ignore(s, "has no effect here; it counts only "+s.row.gate.String())
	case s.row.gate.key != "" && l.found[s.row.gate.key]:
		l.ignore(s, "goes with "+s.row.gate.key)
	case s.row.Kind == Accepted:
		l.ignore(s, s.row.Means)
	default:
		l.found[id] = true
		l.object(s)
	}
}

func (l *loader) ignore(s setting, text string) {
	l.report.Ignored = append(l.report.Ignored, Finding{s.file, s.line, s.name, text})
}

// object says that a value asks for what this version lacks.
func (l *loader) object(s setting) {
	switch s.row.Kind {
	case Refuses:
		allowed := "without the key"
		if s.row.Default != "" {
			allowed = "with " + s.row.Default
		}
		l.report.Refusals = append(l.report.Refusals, Finding{s.file, s.line, s.name,
			fmt.Sprintf("%s Not in this version, which starts only %s; found %s.", s.row.Means, allowed, s.shown())})
	case Obsolete:
		l.warn(s, "%s Obsolete; found %s, which has no effect.", s.row.Means, s.shown())
	default:
		l.warn(s, "%s Not in this version; found %s, which has no effect.", s.row.Means, s.shown())
	}
}

// matters reports whether a value asks for something else than what happens without the key.
func (l *loader) matters(s setting) bool {
	value := s.row.typ.canonical(newReader(s.row.typ), s.value)
	if value == l.table.canonicalDefault(s.row) || s.row.Default == "" && value == "false" {
		return false
	}
	for _, h := range s.row.harmless {
		if value == h {
			return false
		}
	}
	return !s.row.static || !onlyStatic(s.value)
}

// onlyStatic reports whether every text in a value is a path of a picture that comes with Quay.
func onlyStatic(n *document.Node) bool {
	for _, f := range n.Fields {
		if !onlyStatic(f.Value) {
			return false
		}
	}
	return n.Shape == document.Map || n.IsEmpty() || strings.HasPrefix(n.Text, "/static/")
}

// active reports whether the keys that a row needs are on.
func (l *loader) active(row Key) bool {
	g := row.gate
	if g.key == "" {
		return true
	}
	gateRow, _ := l.table.find(g.key)
	value := l.table.canonicalDefault(gateRow)
	if s, ok := l.settings[g.key]; ok {
		value = gateRow.typ.canonical(newReader(gateRow.typ), s.value)
	}
	on := value != "" && value != "false"
	if g.value != "" {
		on = (value == g.value) != g.other
	}
	return on && l.active(gateRow)
}
