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
// file on a registry of its own with the users alice, bob and root.
//
// An exchange is a line "who METHOD path", the request's body, a line "---", the expected status, and the expected body
// as JSON or, if it is none, as text. Exchanges are separated by "===", comments start with "#". Who is a user, who
// then has a session, "nobody", or a user with the scopes of a token: alice/repo:read,repo:write. "push ns/repo tag"
// in place of an exchange pushes a manifest. {name} in a path is what
// an earlier answer said under that name, {first.id} what the last one to hold an id held first, however deep. In an expected body "<word>" stands for anything of a form, see forms.
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
				w := newWorld(t, d, func(s *settings) {
					s.options.Initialize, s.options.Rename, s.options.Metadata = true, true, true
				})
				if name != "initialize" {
					w.user("root")
					w.user("alice")
					w.user("bob")
				}
				players := &players{w: w, clients: map[string]*client{}, said: map[string]string{}}
				for _, step := range steps {
					step.run(t, players)
				}
			})
		})
	}
}

// forms are what stands for values that differ from run to run.
var forms = map[string]*regexp.Regexp{
	"<date>":     regexp.MustCompile(`^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z][a-z] \d{4} \d\d:\d\d:\d\d -0000$`),
	"<hash>":     regexp.MustCompile(`^[0-9a-f]{64}$`),
	"<color>":    regexp.MustCompile(`^#[0-9a-f]{6}$`),
	"<digest>":   regexp.MustCompile(`^sha256:[0-9a-f]{64}$`),
	"<robot>":    regexp.MustCompile(`^[A-Z0-9]{64}$`),
	"<oauth>":    regexp.MustCompile(`^[A-Za-z0-9]{40}$`),
	"<app>":      regexp.MustCompile(`^[A-Z0-9]{120}$`),
	"<password>": regexp.MustCompile(`^[A-Z0-9]{32}$`),
	"<any>":      regexp.MustCompile(`^(?s:.+)$`),
	"<uuid>":     regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`),
	"<client>":   regexp.MustCompile(`^[A-Z0-9]{20}$`),
	"<iso>":      regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`),
	"<pem>":      regexp.MustCompile(`^-----BEGIN [A-Z ]+-----\n(?s:.*)-----END [A-Z ]+-----\n$`),
}

type step struct {
	line               int
	who, method, path  string
	body, want         string
	status             int
	repository, tagged string // a push
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
	request, response, _ := strings.Cut(strings.Join(lines, "\n"), "\n---\n")
	head, body, _ := strings.Cut(strings.TrimSpace(request), "\n")
	words := strings.Fields(head)
	if len(words) != 3 {
		t.Fatalf("%s:%d: %q is not who, method, path", file, line, head)
	}
	if words[0] == "push" {
		return step{line: line, repository: words[1], tagged: words[2]}
	}
	status, want, _ := strings.Cut(strings.TrimSpace(response), "\n")
	code, err := strconv.Atoi(status)
	if err != nil {
		t.Fatalf("%s:%d: %q is no status", file, line, status)
	}
	return step{line: line, who: words[0], method: words[1], path: words[2], body: strings.TrimSpace(body), status: code, want: strings.TrimSpace(want)}
}

// players are the callers of a golden file; each keeps its session through the file.
type players struct {
	w       *world
	clients map[string]*client
	said    map[string]string // texts that answers held by name, for {name} in a path
}

// fill puts what answers said into a path.
func (p *players) fill(path string) string {
	for name, text := range p.said {
		path = strings.ReplaceAll(path, "{"+name+"}", text)
	}
	return path
}

func (p *players) remember(body string) {
	members, _ := parsed(body).(map[string]any)
	for name, value := range members {
		if text, ok := value.(string); ok {
			p.said[name] = text
		}
	}
	for _, name := range []string{"uuid", "id"} {
		if text := memberOf(parsed(body), name); text != "" {
			p.said["first."+name] = text
		}
	}
}

func (p *players) get(who string) *client {
	if p.clients[who] == nil {
		user, scopes, token := strings.Cut(who, "/")
		switch {
		case who == "nobody":
			p.clients[who] = p.w.anonymous()
		case token:
			p.clients[who] = p.w.bearer(p.w.token(user, scopes))
		default:
			p.clients[who] = p.w.session(user)
		}
	}
	return p.clients[who]
}

func (s step) run(t *testing.T, p *players) {
	t.Helper()
	if s.tagged != "" {
		namespace, name, _ := strings.Cut(s.repository, "/")
		p.w.tag(must(p.w.registry.Repository(t.Context(), namespace, name))(t), s.tagged)
		return
	}
	a := p.get(s.who).do(s.method, p.fill(s.path), s.body)
	p.remember(a.body)
	if a.status != s.status {
		t.Errorf("line %d: %s %s %s: status %d, want %d\n%s", s.line, s.who, s.method, s.path, a.status, s.status, a.body)
		return
	}
	if diff := cmp.Diff(parsed(s.want), likened(parsed(a.body), parsed(s.want))); diff != "" {
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
		if form, ok := forms[w]; ok {
			if text, isText := got.(string); isText && form.MatchString(text) {
				return w
			}
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
