package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/longshore-registry/longshore/internal/config/document"
	"github.com/longshore-registry/longshore/internal/secret"
)

func boolean() valueType[bool] {
	return valueType[bool]{
		name: "boolean", allowed: "true or false, without quotes", schema: object{"type": "boolean"},
		read: func(r *reader, n *document.Node) bool {
			if n.Shape != document.Bool {
				r.wrong(n)
			}
			return n.Text == "true"
		},
	}
}

// integer is a whole number from low to high.
func integer(low, high int) valueType[int] {
	allowed := fmt.Sprintf("a whole number from %d to %d, without quotes", low, high)
	schema := object{"type": "integer", "minimum": low, "maximum": high}
	if high == unlimited {
		allowed, schema = fmt.Sprintf("a whole number of at least %d, without quotes", low), object{"type": "integer", "minimum": low}
	}
	return valueType[int]{
		name: "integer", allowed: allowed, schema: schema,
		read: func(r *reader, n *document.Node) int {
			value, err := strconv.Atoi(n.Text)
			if n.Shape != document.Int || err != nil || value < low || value > high {
				r.wrong(n)
				return 0
			}
			return value
		},
	}
}

// unlimited is the largest integer: no upper bound is worth naming.
const unlimited = 1<<62 - 1

func count() valueType[int] { return integer(0, unlimited) }

func port() valueType[int] { return integer(1, 65535) }

// seconds and minutes are whole numbers that mean a time.
func seconds(low int) valueType[time.Duration] { return inUnits("seconds", time.Second, low) }
func minutes(low int) valueType[time.Duration] { return inUnits("minutes", time.Minute, low) }

func inUnits(name string, unit time.Duration, low int) valueType[time.Duration] {
	const century = 100 * 365 * 24 * time.Hour
	whole := integer(low, int(century/unit))
	return valueType[time.Duration]{
		name: name, allowed: fmt.Sprintf("%s as a whole number of at least %d, without quotes", name, low), schema: whole.schema,
		read: func(r *reader, n *document.Node) time.Duration {
			return time.Duration(whole.read(r, n)) * unit
		},
	}
}

func text() valueType[string] {
	return valueType[string]{
		name: "text", allowed: "a text (in quotes when it looks like a number, a boolean or null)", schema: object{"type": "string"},
		read: func(r *reader, n *document.Node) string {
			if n.Shape != document.Text {
				r.wrong(n)
			}
			return n.Text
		},
	}
}

// matching is a text of a form. The empty text is allowed where the form allows it.
func matching(name, pattern, allowed string) valueType[string] {
	return checked(name, allowed, object{"type": "string", "pattern": pattern}, regexp.MustCompile(pattern).MatchString)
}

func checked(name, allowed string, schema object, ok func(string) bool) valueType[string] {
	return valueType[string]{
		name: name, allowed: allowed, schema: schema,
		read: func(r *reader, n *document.Node) string {
			if n.Shape != document.Text || !ok(n.Text) {
				r.wrong(n)
			}
			return n.Text
		},
	}
}

// enum is one of a few texts.
func enum(values ...string) valueType[string] {
	return checked("one of "+strings.Join(values, ", "), quoteList(values), object{"enum": values},
		func(s string) bool { return slices.Contains(values, s) })
}

// flag is an enum of two texts that is true for the second.
func flag(off, on string) valueType[bool] {
	words := enum(off, on)
	return valueType[bool]{name: words.name, allowed: words.allowed, schema: words.schema,
		read: func(r *reader, n *document.Node) bool { return words.read(r, n) == on }}
}

// secretText is a text that is never shown. Whole numbers are taken as they are written, since keys often are numbers.
func secretText() valueType[secret.String] {
	return valueType[secret.String]{
		name: "secret", allowed: "a text or a whole number", schema: object{"type": []string{"string", "integer"}}, secret: true,
		read: func(r *reader, n *document.Node) secret.String {
			if n.Shape != document.Text && n.Shape != document.Int {
				r.wrong(n)
			}
			return secret.New(n.Text)
		},
	}
}

// anything is a value that only Quay's own parts understand. It may hold secrets, and is never shown.
func anything() valueType[string] {
	return valueType[string]{name: "any", allowed: "anything", schema: object{}, secret: true,
		read: func(_ *reader, n *document.Node) string { return render(n) }}
}

// openly is anything of which it is known that it holds no secret.
func openly() valueType[string] {
	t := anything()
	t.secret = false
	return t
}

// mapping is a map whose content only the missing feature understands.
func mapping() valueType[string] {
	return valueType[string]{name: "map", allowed: "a map", schema: object{"type": "object"},
		read: func(r *reader, n *document.Node) string {
			if n.Shape != document.Map {
				r.wrong(n)
			}
			return render(n)
		}}
}

// secretMapping is a map that holds passwords.
func secretMapping() valueType[string] {
	t := mapping()
	t.secret = true
	return t
}

// render writes a tree so that equal trees are equal texts; nothing is the empty text.
func render(n *document.Node) string {
	if n.IsEmpty() {
		return ""
	}
	var parts []string
	switch n.Shape {
	case document.List:
		for _, item := range n.Items {
			parts = append(parts, render(item))
		}
		return fmt.Sprintf("%q", parts)
	case document.Map:
		for _, f := range n.Fields {
			parts = append(parts, fmt.Sprintf("%q: %s", f.Name, render(f.Value)))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return n.Text
}

// hostPort is a host name or address with an optional port, and empty when there is none.
func hostPort() valueType[string] {
	return checked("host[:port]", "a host name with an optional port, without http:// and without a path", object{"type": "string"},
		func(s string) bool { return s == "" || isHostPort(s) })
}

func isHostPort(s string) bool {
	u, err := url.Parse("//" + s)
	if err != nil || u.Host != s || u.Hostname() == "" || strings.HasSuffix(s, ":") {
		return false
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return false
		}
	}
	if net.ParseIP(u.Hostname()) != nil {
		return true
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(u.Hostname(), "."), ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

func isLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for _, c := range []byte(label) {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// httpURL is an absolute http or https address, and empty when there is none.
func httpURL() valueType[string] {
	return checked("URL", "a URL that begins with http:// or https://", object{"type": "string"}, func(s string) bool {
		u, err := url.Parse(s)
		return s == "" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	})
}

// logLevel is Python's name of a level.
func logLevel() valueType[slog.Level] {
	names := []string{"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
	levels := []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError, slog.LevelError}
	words := enum(names...)
	return valueType[slog.Level]{name: words.name, allowed: words.allowed, schema: words.schema,
		read: func(r *reader, n *document.Node) slog.Level {
			if i := slices.Index(names, words.read(r, n)); i >= 0 {
				return levels[i]
			}
			return slog.LevelInfo
		}}
}
