package rest

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// notGolden are the operations without a golden success or without a golden error, and why there is none.
const notGolden = `
success POST /api/v1/externallogin/{}                     there is no login service yet
success POST /api/v1/entities/link/{}                     there is no other system of accounts yet
success GET  /api/v1/repository/{}/tokens/                always 410
success POST /api/v1/repository/{}/tokens/                always 410
success GET  /api/v1/repository/{}/tokens/{}              always 410
success PUT  /api/v1/repository/{}/tokens/{}              always 410
success DELETE /api/v1/repository/{}/tokens/{}            always 410
error   GET  /v1/_ping                                    always true
`

// TestEveryOperationHasGoldenExchanges holds the golden files to the list of the contract's operations and of those that
// are this program's own, which in turn is held to the program (internal/app): each is there with a success and with an
// error, what is switched off with its error, or notGolden says why not.
func TestEveryOperationHasGoldenExchanges(t *testing.T) {
	operations := contractOperations(t)
	succeeds, fails := goldenOperations(t, operations)
	missing := map[string]string{}
	for line := range strings.Lines(notGolden) {
		if words := strings.Fields(line); len(words) > 3 {
			missing[words[1]+" "+words[2]] = words[0]
		}
	}
	for key, mark := range operations {
		known := missing[key]
		if mark == "off" && known == "" {
			known = "success"
		}
		if want := known == "success" || known == "both"; succeeds[key] == want {
			t.Errorf("%s: a golden success is there: %v, and listed as missing: %v", key, succeeds[key], want)
		}
		if want := known == "error" || known == "both"; fails[key] == want {
			t.Errorf("%s: a golden error is there: %v, and listed as missing: %v", key, fails[key], want)
		}
	}
	for key := range missing {
		if operations[key] == "" {
			t.Errorf("%s is listed as missing and is no operation", key)
		}
	}
}

// contractOperations are the operations and what this version does: done, off or own.
func contractOperations(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for line := range strings.Lines(string(must(os.ReadFile("../../app/testdata/operations.txt"))(t))) {
		words := strings.Fields(line)
		if len(words) == 3 && !strings.HasPrefix(line, "#") && words[0] != "later" {
			all[operationKey(words[1], words[2])] = words[0]
		}
	}
	return all
}

// goldenOperations are the operations that a golden file has a success of, and those that one has an error of.
func goldenOperations(t *testing.T, operations map[string]string) (succeeds, fails map[string]bool) {
	t.Helper()
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite), mailing)
	succeeds, fails = map[string]bool{}, map[string]bool{}
	for _, file := range must(filepath.Glob("testdata/golden/*.txt"))(t) {
		for _, s := range readGolden(t, file) {
			if s.direction != nil {
				continue
			}
			seen := succeeds
			if s.status >= http.StatusBadRequest {
				seen = fails
			}
			seen[s.operation(w, operations)] = true
		}
	}
	return succeeds, fails
}

// operation is the key of what an exchange calls: a row of the API, or what the listener has beside it.
func (s step) operation(w *world, operations map[string]string) string {
	path, _, _ := strings.Cut(s.path, "?")
	path = strings.NewReplacer("{", "", "}", "").Replace(path)
	e, _, _ := w.api.table.find(path)
	if r := e.route(s.method); r != nil {
		return operationKey(r.Method, r.Path)
	}
	best := ""
	for key := range operations {
		if matched(key, s.method+" "+path) && (best == "" || strings.Count(key, "{}") < strings.Count(best, "{}")) {
			best = key
		}
	}
	return best
}

// matched reports whether a path is one of an operation's, segment by segment.
func matched(key, path string) bool {
	want, got := strings.Split(key, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && want[i] != "{}" {
			return false
		}
	}
	return true
}

// operationKey is the same for all names of the variables in a path.
func operationKey(method, path string) string {
	return method + " " + regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "{}")
}
