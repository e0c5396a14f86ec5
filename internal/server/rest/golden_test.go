package rest

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// TestGolden runs the exchanges of testdata/golden, which were written by hand from Quay's contract, in order, each
// file on a registry of its own with the users alice, bob and root, behind the listener that the program has.
//
// An exchange is a line "who METHOD path", the request's headers, each after an @, the request's body, a line "---", the
// expected status, the expected headers likewise (an empty one must not be there), and the expected body as JSON or, if
// it is none, as text; of a page what is within <body>, of a stream of events the first. Exchanges are separated by
// "===", comments start with "#". Who is a user, who then has a session, "nobody", or a user with the scopes of a token:
// alice/repo:read,repo:write.
//
// {name} in any of it is what an earlier answer said under that name, or an earlier Location as a parameter; {first.id}
// what the last one to hold an id held first, however deep. In what is expected "<word>" stands for anything of a form,
// see forms. In place of an exchange may stand a direction, see direct.
func TestGolden(t *testing.T) {
	files := must(filepath.Glob("testdata/golden/*.txt"))(t)
	if len(files) == 0 {
		t.Fatal("there are no golden files")
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			steps := readGolden(t, file)
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				p := newPlayers(t, d, name)
				for _, step := range steps {
					step.run(t, p)
				}
			})
		})
	}
}

// forms are what stands for values that differ from run to run, alone or within a text.
var forms = map[string]string{
	"<date>":     `(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z][a-z] \d{4} \d\d:\d\d:\d\d -0000`,
	"<hash>":     `[0-9a-f]{64}`,
	"<color>":    `#[0-9a-f]{6}`,
	"<digest>":   `sha256:[0-9a-f]{64}`,
	"<robot>":    `[A-Z0-9]{64}`,
	"<oauth>":    `[A-Za-z0-9]{40}`,
	"<app>":      `[A-Z0-9]{120}`,
	"<password>": `[A-Z0-9]{32}`,
	"<any>":      `(?s:.+)`,
	"<uuid>":     `[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`,
	"<client>":   `[A-Z0-9]{20}`,
	"<iso>":      `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`,
	"<pem>":      `-----BEGIN [A-Z ]+-----\n(?s:.*)-----END [A-Z ]+-----\n`,
}

// kinds are what stands for a JSON value that is too long for a golden file and held by a test of its own.
var kinds = map[string]func(any) bool{
	"<object>": func(v any) bool { m, ok := v.(map[string]any); return ok && len(m) > 0 },
	"<list>":   func(v any) bool { l, ok := v.([]any); return ok && len(l) > 0 },
}

type step struct {
	line              int
	who, method, path string
	header            [][2]string
	body, want        string
	status            int
	wantHeader        [][2]string
	direction         []string // in place of an exchange
}

func readGolden(t *testing.T, file string) []step {
	t.Helper()
	content := must(os.ReadFile(file))(t)
	var steps []step
	line := 1
	for block := range strings.SplitSeq(string(content), "===\n") {
		s := parseStep(t, file, line, block)
		steps = append(steps, s)
		line += strings.Count(block, "\n") + 1
	}
	return steps
}

func parseStep(t *testing.T, file string, line int, block string) step {
	t.Helper()
	var lines []string
	for l := range strings.SplitSeq(block, "\n") {
		if !strings.HasPrefix(l, "#") {
			lines = append(lines, l)
		}
	}
	request, response, isExchange := strings.Cut(strings.Join(lines, "\n"), "\n---\n")
	head, body, _ := strings.Cut(strings.TrimSpace(request), "\n")
	words := strings.Fields(head)
	if len(words) != 3 {
		t.Fatalf("%s:%d: %q is not three words", file, line, head)
	}
	if !isExchange {
		return step{line: line, direction: words}
	}
	s := step{line: line, who: words[0], method: words[1], path: words[2]}
	s.header, s.body = headersOf(strings.TrimSpace(body))
	status, want, _ := strings.Cut(strings.TrimSpace(response), "\n")
	code, err := strconv.Atoi(status)
	if err != nil {
		t.Fatalf("%s:%d: %q is no status", file, line, status)
	}
	s.status = code
	s.wantHeader, s.want = headersOf(strings.TrimSpace(want))
	return s
}

// headersOf takes the lines that start with an @ off a text.
func headersOf(text string) (headers [][2]string, rest string) {
	for strings.HasPrefix(text, "@") {
		line, after, _ := strings.Cut(text[1:], "\n")
		name, value, _ := strings.Cut(line, ":")
		headers, text = append(headers, [2]string{name, strings.TrimSpace(value)}), strings.TrimSpace(after)
	}
	return headers, text
}

func (s step) run(t *testing.T, p *players) {
	t.Helper()
	if s.direction != nil {
		p.direct(t, s)
		return
	}
	a := p.get(s.who).do(s.method, p.fill(s.path), p.fill(s.body), func(r *http.Request) {
		for _, h := range s.header {
			r.Header.Set(h[0], credentials(p.fill(h[1])))
		}
	})
	p.remember(a)
	if a.status != s.status {
		t.Errorf("line %d: %s %s %s: status %d, want %d\n%s", s.line, s.who, s.method, s.path, a.status, s.status, a.body)
		return
	}
	for _, h := range s.wantHeader {
		if got, want := a.header.Get(h[0]), p.fill(h[1]); got != want && !matches(got, want) {
			t.Errorf("line %d: %s %s %s: %s is %q, want %q", s.line, s.who, s.method, s.path, h[0], got, want)
		}
	}
	want := parsed(p.fill(s.want))
	if diff := cmp.Diff(want, likened(parsed(a.shown()), want)); diff != "" {
		t.Errorf("line %d: %s %s %s (-want +got):\n%s", s.line, s.who, s.method, s.path, diff)
	}
	if a.status != http.StatusNoContent && a.body != "" && a.header.Get("Content-Type") == "" {
		t.Errorf("line %d: the answer has no Content-Type", s.line)
	}
}

// parsed is a JSON value, or the text itself when it is none.
func parsed(text string) any {
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		return text
	}
	return value
}

// likened puts the form's word in place of each value of got for which want has a form that it matches.
func likened(got, want any) any {
	switch w := want.(type) {
	case string:
		if is := kinds[w]; is != nil && is(got) {
			return w
		}
		if text, isText := got.(string); isText && matches(text, w) {
			return w
		}
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			for name := range g {
				g[name] = likened(g[name], w[name])
			}
		}
	case []any:
		if g, ok := got.([]any); ok && len(g) == len(w) {
			for i := range g {
				g[i] = likened(g[i], w[i])
			}
		}
	}
	return got
}

// matches reports whether a text is what a text with forms in it stands for.
func matches(got, want string) bool {
	pattern := regexp.QuoteMeta(want)
	for word, form := range forms {
		pattern = strings.ReplaceAll(pattern, word, form)
	}
	return pattern != regexp.QuoteMeta(want) && regexp.MustCompile("^(?s:"+pattern+")$").MatchString(got)
}
