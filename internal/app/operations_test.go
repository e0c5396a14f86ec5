package app

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/config"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// operation is a line of testdata/operations.txt.
type operation struct{ mark, method, path string }

// key is the operation without the names of its variables.
func (o operation) key() string {
	return o.method + " " + variable.ReplaceAllStringFunc(o.path, func(name string) string {
		if name == "{repository}" {
			return name
		}
		return "{}"
	})
}

var variable = regexp.MustCompile(`\{[a-z_]+\}`)

// marks are what a line may say, in the order of the page, with what the page says.
var marks = [][2]string{
	{"done", "as Quay"}, {"off", "as a Quay on which the feature is switched off"}, {"later", "not yet"}, {"own", "Longshore's own"},
}

// TestOperations holds the list of the contract's operations against the route table and what else the public listener
// answers: a line must say what is so. UPDATE_GOLDEN=1 writes docs/api.md anew.
func TestOperations(t *testing.T) {
	r := startRegistry(t, dbtest.SQLite, func(c *config.Config) {
		c.Accounts.Initialize, c.Registry.Mirror = true, true
		c.Server.Hostname, c.Mail.Enabled, c.Mail.Server, c.Mail.Sender = "registry.example", true, "mail.example", "registry@example.com"
	})
	off := map[string]bool{}
	for _, o := range r.parts.api.Operations() {
		off[operation{"", o.Method, o.Path}.key()] = o.Off
	}
	sections, counts, listed := readOperations(t), map[string]int{}, map[string]bool{}
	for _, s := range sections {
		for _, o := range s.operations {
			if listed[o.key()] {
				t.Errorf("%s is listed twice", o.key())
			}
			listed[o.key()] = true
			counts[o.mark]++
			switchedOff, isRow := off[o.key()]
			there := isRow && !switchedOff || !isRow && r.answers(t, o)
			switch o.mark {
			case "done", "own":
				if !there {
					t.Errorf("%s is marked %s and not there", o.key(), o.mark)
				}
			case "off":
				if !switchedOff {
					t.Errorf("%s is marked off and not switched off", o.key())
				}
			case "later":
				if isRow || there {
					t.Errorf("%s is marked later and there: change its mark", o.key())
				}
			}
		}
	}
	for key := range off {
		if !listed[key] {
			t.Errorf("%s is in the route table and not in the list", key)
		}
	}
	t.Logf("%d operations: %d done, %d as switched off, %d later, %d own", len(listed), counts["done"], counts["off"], counts["later"], counts["own"])
	comparePage(t, page(sections, counts))
}

// answers reports whether the listener has something at a path that is in no row.
func (r *testRegistry) answers(t *testing.T, o operation) bool {
	t.Helper()
	first, _, _ := strings.Cut(strings.TrimPrefix(o.path, "/"), "/")
	if !slices.Contains([]string{"health", "status", "keys", "v1", "exportedlogs", "confirm", "recovery", "authrepoemail"}, first) {
		return false
	}
	request, err := http.NewRequestWithContext(t.Context(), o.method, r.url+variable.ReplaceAllString(o.path, "x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode != http.StatusMethodNotAllowed && !strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain")
}

type section struct {
	title      string
	operations []operation
}

func readOperations(t *testing.T) []section {
	t.Helper()
	text, err := os.ReadFile("testdata/operations.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []section
	known := map[string]bool{}
	for _, m := range marks {
		known[m[0]] = true
	}
	for line := range strings.Lines(string(text)) {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			all = append(all, section{title: strings.TrimSpace(title)})
			continue
		}
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if len(words) != 3 || !known[words[0]] || len(all) == 0 {
			t.Fatalf("%q is no line of the list", line)
		}
		s := &all[len(all)-1]
		s.operations = append(s.operations, operation{words[0], words[1], words[2]})
	}
	return all
}

// page is docs/api.md.
func page(sections []section, counts map[string]int) string {
	var b strings.Builder
	b.WriteString("# Operations of the API\n\nEvery operation of Quay's API and of the paths beside it, 3.6 and later, and what this version answers. " +
		"The registry's own protocol under `/v2` is not in the list. A test holds the page against the program.\n\n" +
		"An operation that is switched off or not there yet is answered 404 for GET and 405 otherwise.\n\n| Answers | Operations |\n|---|---|\n")
	words := map[string]string{}
	for _, m := range marks {
		words[m[0]] = m[1]
		fmt.Fprintf(&b, "| %s | %d |\n", m[1], counts[m[0]])
	}
	for _, s := range sections {
		_, title, numbered := strings.Cut(s.title, " ")
		if !numbered || s.title[0] < '0' || s.title[0] > '9' {
			title = s.title
		}
		fmt.Fprintf(&b, "\n## %s\n\n| Method | Path | Answers |\n|---|---|---|\n", title)
		for _, o := range s.operations {
			fmt.Fprintf(&b, "| %s | `%s` | %s |\n", o.method, o.path, words[o.mark])
		}
	}
	return b.String()
}

func comparePage(t *testing.T, want string) {
	t.Helper()
	const file = "../../docs/api.md"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/api.md is not what the list says; UPDATE_GOLDEN=1 go test ./internal/app -run TestOperations writes it (-want +got):\n%s", diff)
	}
}
