package registry_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

// moments lets a test act when a transaction is about to be committed.
type moments struct {
	mu   sync.Mutex
	act  func(transaction string)
	seen []string
}

func (m *moments) watch(transaction string, at db.Moment) error {
	m.mu.Lock()
	act := m.act
	m.mu.Unlock()
	if at == db.Ready && transaction != db.Batch && act != nil {
		m.seen = append(m.seen, transaction)
		act(transaction)
	}
	return nil
}

func (m *moments) during(act func(string), change func()) {
	m.mu.Lock()
	m.act = act
	m.mu.Unlock()
	change()
	m.mu.Lock()
	m.act = nil
	m.mu.Unlock()
}

// TestWhatIsReadJustBeforeACommitIsNotRemembered reads everything at the last moment before each change is committed,
// when the old state is still true, and looks what is read afterwards.
func TestWhatIsReadJustBeforeACommitIsNotRemembered(t *testing.T) {
	for _, kind := range dbtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			var m moments
			options := dbtest.Options(dbtest.URI(t, kind))
			options.Watch = m.watch
			d, err := db.Open(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = d.Close() })
			f := newFixture(t, d, remembering)
			tag := registry.Reference{Tag: "v"}
			first := pushNumbered(t, f, f.reg, 1, "v")
			look := func() string {
				repo, _, err := f.reg.Remembered(t.Context(), "acme", "app")
				if problem.Is(err, problem.NotFound) {
					return "no repository"
				}
				if err != nil {
					t.Fatal(err)
				}
				facts := []string{served(t, f.reg, f.repo, tag), served(t, f.reg, f.repo, first), repo.Description}
				if repo.Public {
					facts = append(facts, "public")
				}
				if repo.State == access.ReadOnlyState {
					facts = append(facts, "read-only")
				}
				return strings.Join(facts, " ")
			}
			one := first.Digest.String()
			var two string
			for _, row := range []struct {
				name   string
				change func() error
				want   func() string
			}{
				{"a tag is moved", func() error {
					two = pushNumbered(t, f, f.reg, 2, "v").Digest.String()
					return nil
				}, func() string { return two + " " + one + " " }},
				{"a tag is deleted", func() error { return f.reg.DeleteTag(t.Context(), f.repo, "v") },
					func() string { return "unknown " + one + " " }},
				{"a tag is made", func() error { pushNumbered(t, f, f.reg, 1, "v"); return nil },
					func() string { return one + " " + one + " " }},
				{"a manifest is deleted", func() error {
					_, err := f.reg.DeleteManifest(t.Context(), f.repo, first.Digest)
					return err
				}, func() string { return "unknown unknown " }},
				{"a manifest is pushed again", func() error { pushNumbered(t, f, f.reg, 1, "v"); return nil },
					func() string { return one + " " + one + " " }},
				{"a repository becomes public", func() error { return f.reg.SetVisibility(t.Context(), f.repo.ID, true) },
					func() string { return one + " " + one + "  public" }},
				{"a repository is described", func() error { return f.reg.SetDescription(t.Context(), f.repo.ID, "words") },
					func() string { return one + " " + one + " words public" }},
				{"a repository becomes read-only", func() error { return f.reg.SetState(t.Context(), f.repo.ID, access.ReadOnlyState) },
					func() string { return one + " " + one + " words public read-only" }},
				{"a repository is deleted", func() error { return f.reg.DeleteRepository(t.Context(), f.repo.ID) },
					func() string { return "no repository" }},
			} {
				before := look()
				m.seen = nil
				m.during(func(string) {
					if got := look(); got != before {
						t.Errorf("%s: before the commit %q is read, not %q", row.name, got, before)
					}
				}, func() {
					if err := row.change(); err != nil {
						t.Fatalf("%s: %v", row.name, err)
					}
				})
				if len(m.seen) == 0 {
					t.Errorf("%s: nothing was committed", row.name)
				}
				if got := look(); got != row.want() {
					t.Errorf("%s: afterwards %q is read, not %q", row.name, got, row.want())
				}
			}
		})
	}
}
