package distribution_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// failingLog is the action log as the services know it, which fails on command.
type failingLog struct {
	identity.Recorder
	failing atomic.Bool
}

func (l *failingLog) Change(ctx context.Context, tx db.Tx, kind string, namespaceID, repositoryID int64, metadata ...map[string]any) error {
	if l.failing.Load() {
		return problem.New(problem.Unavailable, "the action log is full")
	}
	return l.Recorder.Change(ctx, tx, kind, namespaceID, repositoryID, metadata...)
}

// unlogged are the columns that are no registry's content: the log itself, what is made of it, the database's own, and
// when something was used last.
func unlogged(table, column string) bool {
	return slices.ContainsFunc([]string{"audit_", "repo_day", "pull_stat", "search_", "goose", "sqlite_"}, func(prefix string) bool {
		return strings.HasPrefix(table, prefix)
	}) || strings.HasPrefix(column, "last_")
}

// TestNothingIsPushedOrDeletedWithoutItsEntry makes each change that the log is about twice: with a log that fails, when
// it is refused and no row of any table has changed; then with one that works, when it leaves its entries. A mount, like
// an upload, is in the log only as far as it makes the repository.
func TestNothingIsPushedOrDeletedWithoutItsEntry(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var log *audit.Log
		strict := &failingLog{}
		r := newRig(t, d, func(s *settings) {
			var err error
			if log, err = audit.Open(t.Context(), audit.Options{DB: d, Dir: t.TempDir(), Clock: time.Now, Log: slog.New(slog.DiscardHandler)}); err != nil {
				t.Fatal(err)
			}
			strict.Recorder = log
			s.options.Audit, s.identity.Audit, s.registry.Audit = log, strict, strict
			s.policy = access.Policy{AnonymousAccess: true, CreateNamespaceOnPush: true}
		})
		t.Cleanup(func() { _ = log.Close(t.Context()) })
		const app = "alice/app"
		token := r.token("alice", scopeOf(app, "pull,push"))
		first, second := r.image(token, app, "first"), r.image(token, app, "second")
		for _, tag := range []string{"v1", "v2", "v3"} {
			r.push(token, app, tag, first)
		}
		layer, sum := digest.SHA256.Of([]byte("layer first")).String(), digest.SHA256.Of(first).String()
		put := func(path, kind string, body []byte) call {
			return call{method: "PUT", path: "/v2/" + path, body: body, header: map[string]string{"Content-Type": kind}}
		}
		for _, step := range []struct {
			name, repo string
			do         call
			status     int
			kinds      string
		}{
			{"an upload that makes its repository", "alice/by-upload", call{method: "POST", path: "/v2/alice/by-upload/blobs/uploads/"}, 202, "create_repo"},
			{"a whole blob that does", "alice/by-blob", call{method: "POST", path: "/v2/alice/by-blob/blobs/uploads/?digest=" + digest.SHA256.Of([]byte("x")).String(), body: []byte("x")}, 201, "create_repo"},
			{"a mount that does", "alice/by-mount", call{method: "POST", path: "/v2/alice/by-mount/blobs/uploads/?mount=" + layer + "&from=" + app}, 201, "create_repo"},
			{"a manifest that does", "alice/by-manifest", put("alice/by-manifest/manifests/v1", indexType, emptyIndex), 201, "create_repo push_repo"},
			{"a push that makes its organization, too", "fresh/app", put("fresh/app/manifests/v1", indexType, emptyIndex), 201, "org_create create_repo push_repo"},
			{"a push of a new tag", app, put(app+"/manifests/v9", imageType, second), 201, "push_repo"},
			{"a push that moves a tag", app, put(app+"/manifests/v2", imageType, second), 201, "push_repo"},
			{"a push with several tags", app, put(app+"/manifests/"+digest.SHA256.Of(second).String()+"?tag=a&tag=b", imageType, second), 201, "push_repo push_repo"},
			{"a deleted tag", app, call{method: "DELETE", path: "/v2/" + app + "/manifests/v2"}, 202, "delete_tag"},
			{"a deleted manifest with its tags", app, call{method: "DELETE", path: "/v2/" + app + "/manifests/" + sum}, 202, "delete_tag delete_tag"},
		} {
			t.Run(step.name, func(t *testing.T) {
				r.t = t
				step.do.token = r.token("alice", scopeOf(step.repo, "pull,push"), scopeOf(app, "pull"))
				dump := dbtest.Dumper(t, d, unlogged)
				before, logged := dump(t), len(entries(t, log))
				strict.failing.Store(true)
				refusal := r.send(step.do)
				strict.failing.Store(false)
				if refusal.status != 503 {
					t.Errorf("with a log that fails: %d %s, want 503", refusal.status, refusal.body)
				}
				if diff := cmp.Diff(before, dump(t)); diff != "" {
					t.Errorf("with a log that fails the database was changed:\n%s", diff)
				}
				r.want(r.send(step.do), step.status)
				var kinds []string
				for _, e := range entries(t, log)[logged:] {
					kind, _, _ := strings.Cut(e, " ")
					kinds = append(kinds, kind)
				}
				if got := strings.Join(kinds, " "); got != step.kinds {
					t.Errorf("its entries are %q, want %q", got, step.kinds)
				}
			})
		}
	})
}
