package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// recorder is the action log as the services know it, which fails on command.
type recorder struct {
	identity.Recorder
	failing atomic.Bool
}

func (r *recorder) Change(ctx context.Context, tx db.Tx, kind string, namespaceID, repositoryID int64, metadata ...map[string]any) error {
	if r.failing.Load() {
		return problem.New(problem.Unavailable, "the action log is full")
	}
	return r.Recorder.Change(ctx, tx, kind, namespaceID, repositoryID, metadata...)
}

// TestEveryChangeIsRecordedAsTheContractSays makes each change of the table twice: first with a log that fails, when it
// must be refused and leave nothing in the database; then with one that works, when it must be in the log once, with
// the members that rest-api.md §31 names.
func TestEveryChangeIsRecordedAsTheContractSays(t *testing.T) {
	unsorted(t, func(t *testing.T, d *db.DB) {
		box := letterBox{}
		s := &stage{w: newWorld(t, d, withAuditor, func(s *settings) {
			s.options.Rename, s.options.Metadata, s.options.Immutable = true, true, true
			s.options.Inviter, s.options.RequireTeamInvite, s.account.AuditLogins = box, true, true
		}), clients: map[string]*client{}}
		s.set()
		for _, row := range recordings {
			t.Run(row.id+row.name, func(t *testing.T) {
				s.w.recorder.failing.Store(false)
				clear(s.clients)
				s.set()
				row.check(t, s, box)
			})
		}
	})
}

// TestEveryChangingRouteIsInTheRecordingTable has no route forgotten.
func TestEveryChangingRouteIsInTheRecordingTable(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	for id, r := range w.api.rows {
		inTable := slices.ContainsFunc(recordings, func(p recording) bool { return p.id == id })
		later := slices.ContainsFunc(laterPermissions(), func(p permitted) bool { return p.id == id })
		if _, quiet := changesNothing[id]; r.changes() && !inTable && !quiet && !later {
			t.Errorf("%s %s (%s) is not in the table", r.Method, r.Path, id)
		}
	}
}

// recording is a change by a caller, and the entries it must make: "kind member member", sorted, in their order.
type recording struct {
	id, name, who string
	path, body    string
	prepare       func(t *testing.T, s *stage, box letterBox) string // what {id} stands for in path and body
	entries       []string
	spooled       bool // the entry is no part of a transaction
}

func (row recording) check(t *testing.T, s *stage, box letterBox) {
	route := s.w.api.rows[row.id]
	if route == nil {
		t.Fatal("there is no such route")
	}
	caller := s.client(row.who)
	fill := strings.NewReplacer()
	if row.prepare != nil {
		fill = strings.NewReplacer("{id}", row.prepare(t, s, box))
	}
	do := func() answer { return caller.do(route.Method, fill.Replace(row.path), fill.Replace(row.body)) }
	if len(row.entries) > 0 && !row.spooled {
		refusedWithoutLog(t, s.w, do)
	}
	last := lastEntry(t, s.w)
	if a := do(); a.status >= 300 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if diff := cmp.Diff(row.entries, entriesAfter(t, s.w, last)); diff != "" {
		t.Error(diff)
	}
}

// refusedWithoutLog makes a change while the log fails, which must leave nothing in the database.
func refusedWithoutLog(t *testing.T, w *world, do func() answer) {
	t.Helper()
	if w.dump == nil {
		w.dump = dbtest.Dumper(t, w.db, unrecorded)
	}
	before := w.dump(t)
	w.recorder.failing.Store(true)
	a := do()
	w.recorder.failing.Store(false)
	if a.status != http.StatusServiceUnavailable {
		t.Errorf("with a log that fails: %d %s, want 503", a.status, a.body)
	}
	if diff := cmp.Diff(before, w.dump(t)); diff != "" {
		t.Errorf("with a log that fails the database was changed:\n%s", diff)
	}
}

// made calls the API for what a row needs, and gives a member of the answer, wherever it is.
func made(who, method, path, body, member string) func(*testing.T, *stage, letterBox) string {
	return func(t *testing.T, s *stage, _ letterBox) string {
		t.Helper()
		a := s.client(who).do(method, path, body)
		var content any
		if err := json.Unmarshal([]byte(a.body), &content); a.status >= 300 || err != nil && member != "" {
			t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
		}
		return find(content, member)
	}
}

func find(content any, member string) string {
	switch content := content.(type) {
	case map[string]any:
		if v, ok := content[member]; ok {
			return fmt.Sprint(v)
		}
		for _, name := range slices.Sorted(maps.Keys(content)) {
			if v := find(content[name], member); v != "" {
				return v
			}
		}
	case []any:
		for _, c := range content {
			if v := find(c, member); v != "" {
				return v
			}
		}
	}
	return ""
}

// unrecorded are the tables that are no registry's content: the log itself, what is made of it, and the database's own.
func unrecorded(table, _ string) bool {
	return slices.ContainsFunc([]string{"audit_", "repo_day", "pull_stat", "search_", "goose", "sqlite_"}, func(prefix string) bool {
		return strings.HasPrefix(table, prefix)
	})
}

// The clock of a world stands in January 2027.
const monthTable = "audit_202701"

func lastEntry(t *testing.T, w *world) (id int64) {
	t.Helper()
	if err := w.log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.db.QueryRow(t.Context(), "SELECT COALESCE(MAX(id), 0) FROM "+monthTable).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

// entriesAfter gives the entries after one, as "kind member member".
func entriesAfter(t *testing.T, w *world, last int64) (all []string) {
	t.Helper()
	if err := w.log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows := must(w.db.Query(t.Context(), "SELECT kind, metadata FROM "+monthTable+" WHERE id > $1 ORDER BY id", last))(t)
	defer rows.Close()
	for rows.Next() {
		var kind int64
		var metadata string
		if err := rows.Scan(&kind, &metadata); err != nil {
			t.Fatal(err)
		}
		members := map[string]json.RawMessage{}
		if err := json.Unmarshal([]byte(metadata), &members); err != nil {
			t.Fatalf("%s: %v", metadata, err)
		}
		all = append(all, strings.Join(append([]string{audit.Kind(kind).String()}, slices.Sorted(maps.Keys(members))...), " "))
	}
	return all
}

// TestEveryGrantIsRecorded is the same for what OAuth's forms and its token endpoint change.
func TestEveryGrantIsRecorded(t *testing.T) {
	unsorted(t, func(t *testing.T, d *db.DB) {
		c := newConsenting(t, d)
		var code string
		exchange := func() answer { a, _ := c.exchange(code); return a }
		for _, step := range []struct {
			name    string
			prepare func()
			do      func() answer
			status  int
			entries []string
		}{
			{name: "a token without a code", status: http.StatusFound, entries: []string{"create_oauth_api_token application_name client_id scope token_uuid username"},
				do: func() answer { return c.alice.post("/oauth/authorizeapp", c.ask("response_type", "token")) }},
			{name: "a code for a token", prepare: func() { code = c.code() }, do: exchange, status: http.StatusOK,
				entries: []string{"create_oauth_api_token application_name client_id scope token_uuid username"}},
			{name: "a code that is used again", do: exchange, status: http.StatusBadRequest,
				entries: []string{"oauth_token_revoked application_name client_id reason token_uuid"}},
			{name: "a token for another user", status: http.StatusOK, entries: []string{"oauth_token_assigned application_name client_id scope username"},
				do: func() answer {
					return c.alice.post("/oauth/authorize/assignuser?"+c.ask("username", "bob").Encode(), nil)
				}},
			{name: "an authorization that is taken back", prepare: func() {
				code = made("", http.MethodGet, "/api/v1/user/authorizations", "", "uuid")(t, &stage{w: c.world, clients: map[string]*client{"": c.alice}}, nil)
			},
				do:     func() answer { return c.alice.do(http.MethodDelete, "/api/v1/user/authorizations/"+code, "") },
				status: http.StatusNoContent, entries: []string{"oauth_token_revoked application_name client_id token_uuid username"}},
		} {
			t.Run(step.name, func(t *testing.T) {
				if step.prepare != nil {
					step.prepare()
				}
				refusedWithoutLog(t, c.world, step.do)
				last := lastEntry(t, c.world)
				if a := step.do(); a.status != step.status {
					t.Fatalf("%d %s", a.status, a.body)
				}
				if diff := cmp.Diff(step.entries, entriesAfter(t, c.world, last)); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}
