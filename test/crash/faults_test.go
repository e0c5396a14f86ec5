//go:build e2e

package crash

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// person is one client that does one thing after the other.
type person struct {
	t *testing.T
	r *registry
	n int
}

func (r *registry) person(t *testing.T) *person { return &person{t: t, r: r} }

func (p *person) send(method, path string, body []byte, header http.Header) result {
	p.t.Helper()
	r, err := p.r.client.registry(p.t.Context(), method, path, body, header, places[0])
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

func (p *person) fresh(size int) []byte {
	p.n++
	return fill(1_000_000+p.n, size)
}

// whole pushes a blob in one request.
func (p *person) whole(b []byte) result {
	p.t.Helper()
	return p.send(http.MethodPost, "/v2/"+places[0]+"/blobs/uploads/?digest="+digestOf(b), b, octets)
}

// start begins an upload and sends a part of it; it gives where it goes on.
func (p *person) start(part []byte) string {
	p.t.Helper()
	r := p.send(http.MethodPost, "/v2/"+places[0]+"/blobs/uploads/", nil, octets)
	if r.status == http.StatusAccepted && len(part) > 0 {
		r = p.send(http.MethodPatch, r.header.Get("Location"), part, octets)
	}
	p.want("starting an upload", r, http.StatusAccepted)
	return r.header.Get("Location")
}

func (p *person) finish(location string, rest, all []byte) result {
	p.t.Helper()
	return p.send(http.MethodPut, with(location, "digest="+digestOf(all)), rest, octets)
}

func (p *person) want(what string, r result, status int) {
	p.t.Helper()
	if r.status != status {
		p.t.Errorf("%s: %v, want %d\n%s", what, r, status, p.r.complaints())
	}
}

// wantClear wants a refusal that names its reason and says when to come back.
func (p *person) wantClear(what string, r result, reason string) {
	p.t.Helper()
	if r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" || !strings.Contains(string(r.body), reason) {
		p.t.Errorf("%s: %v, Retry-After %q; want 503, when to come back, and %q", what, r, r.header.Get("Retry-After"), reason)
	}
}

func (p *person) wantBlob(what string, b []byte) {
	p.t.Helper()
	if r := p.send(http.MethodGet, "/v2/"+places[0]+"/blobs/"+digestOf(b), nil, nil); r.status != http.StatusOK || !bytes.Equal(r.body, b) {
		p.t.Errorf("%s: GET of a blob of %d bytes: %d with %d", what, len(b), r.status, len(r.body))
	}
}

// image pushes an image with a tag and gives its bytes.
func (p *person) image(tag string) []byte {
	p.t.Helper()
	config := p.fresh(100)
	p.want("config", p.whole(config), http.StatusCreated)
	b := image(p.n, config)
	p.want("manifest", p.tag(tag, b), http.StatusCreated)
	return b
}

func (p *person) tag(name string, manifest []byte) result {
	p.t.Helper()
	return p.send(http.MethodPut, "/v2/"+places[0]+"/manifests/"+name, manifest, http.Header{"Content-Type": {imageType}})
}

func (p *person) wantTag(what, name string, manifest []byte) {
	p.t.Helper()
	if r := p.send(http.MethodGet, "/v2/"+places[0]+"/manifests/"+name, nil, nil); r.status != http.StatusOK || !bytes.Equal(r.body, manifest) {
		p.t.Errorf("%s: GET of tag %s: %v", what, name, r)
	}
}

// wantSound holds rows and files against each other.
func (p *person) wantSound() {
	p.t.Helper()
	found, err := p.r.rows(p.t).faults(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range found {
		p.t.Error(f)
	}
}

// trace gives the points that were passed while fn ran.
func (r *registry) trace(t *testing.T, fn func(), rules ...string) []string {
	t.Helper()
	file := filepath.Join(r.Data, "..", "trace")
	_ = os.Truncate(file, 0)
	r.plan(t, append([]string{"record " + file}, rules...)...)
	fn()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r.plan(t)
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

func eachDatabase(t *testing.T, fn func(t *testing.T, kind dbtest.Kind)) {
	for _, kind := range []dbtest.Kind{dbtest.SQLite, dbtest.PostgreSQL} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			fn(t, kind)
		})
	}
}

// TestOrder reads from recorded calls that file and folder are synced under the final name before the row is committed,
// and the row before the answer; and that no other answer overtakes its commit.
func TestOrder(t *testing.T) {
	eachDatabase(t, func(t *testing.T, kind dbtest.Kind) {
		r := start(t, kind)
		p := r.person(t)
		for _, way := range []string{"whole", "chunks"} {
			b := p.fresh(50_000)
			calls := r.trace(t, func() {
				if way == "whole" {
					p.want("push", p.whole(b), http.StatusCreated)
					return
				}
				p.want("push", p.finish(p.start(b[:20_000]), b[20_000:], b), http.StatusCreated)
			})
			commit := "db/finish-upload/after-commit"
			inOrder(t, calls, "db/start-upload/after-commit", "fs/create-upload/before")
			inOrder(t, calls, "fs/rename-object/after", "fs/sync-upload/after", "db/finish-upload/begin", commit, "http/*/before-answer")
			inOrder(t, calls, "fs/rename-object/after", "fs/syncdir-folder/after", "db/finish-upload/begin", commit, "http/*/before-answer")
			if kind == dbtest.SQLite {
				inOrder(t, calls, "db/finish-upload/before-commit", "db/batch/before-commit", "db/batch/after-commit", commit)
			}
		}
		config := p.fresh(100)
		p.want("config", p.whole(config), http.StatusCreated)
		m := image(1, config)
		inOrder(t, r.trace(t, func() { p.want("manifest", p.tag("v1", m), http.StatusCreated) }), "db/push-manifest/after-commit", "http/PUT-manifests/before-answer")
		inOrder(t, r.trace(t, func() {
			p.want("delete", p.send(http.MethodDelete, "/v2/"+places[0]+"/manifests/v1", nil, nil), http.StatusAccepted)
		}), "db/delete-tag/after-commit", "http/DELETE-manifests/before-answer")
		for _, change := range []struct {
			method, path        string
			body                map[string]string
			transaction, answer string
		}{
			{"PUT", "user/robots/ci", map[string]string{}, "create-robot", "PUT-robots"},
			{"POST", "user/robots/ci/regenerate", nil, "regenerate-robot", "POST-robots"},
			{"PUT", "repository/" + places[0] + "/permissions/user/" + user + "+ci", map[string]string{"role": "write"}, "grant-permission", "PUT-permissions"},
			{"DELETE", "repository/" + places[0] + "/permissions/user/" + user + "+ci", nil, "revoke-permission", "DELETE-permissions"},
			{"DELETE", "user/robots/ci", nil, "delete-robot", "DELETE-robots"},
			{"POST", "organization/", map[string]string{"name": "acme", "email": "acme@example.org"}, "create-organization", "POST-organization"},
			{"DELETE", "organization/acme", nil, "delete-organization", "DELETE-organization"},
			{"PUT", "repository/" + places[0], map[string]string{"description": "new"}, "change-repository", "PUT-repository"},
			{"DELETE", "repository/" + places[1], nil, "delete-repository", "DELETE-repository"},
		} {
			inOrder(t, r.trace(t, func() {
				answer, err := r.client.change(t.Context(), change.method, change.path, change.body)
				if err != nil || answer.status >= 300 {
					t.Errorf("%s %s: %v %v", change.method, change.path, answer, err)
				}
			}), "db/"+change.transaction+"/after-commit", "http/"+change.answer+"/before-answer")
		}
		outcome(t, "file and folder are synced under the final name, then the row is committed, then the answer goes out")
	})
}

// inOrder wants calls in an order; the last hit of each counts, and "*" stands for anything.
func inOrder(t *testing.T, calls []string, want ...string) {
	t.Helper()
	last := -1
	for _, name := range want {
		at := -1
		for i, call := range calls {
			if matches(name, call) {
				at = i
			}
		}
		if at <= last {
			t.Errorf("%s is number %d of the recorded calls, after number %d is wanted, in %q", name, at, last, calls)
			return
		}
		last = at
	}
}

func matches(pattern, call string) bool {
	before, after, any := strings.Cut(pattern, "*")
	return pattern == call || any && strings.HasPrefix(call, before) && strings.HasSuffix(call, after)
}

func TestFailedSync(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"sync-upload", "syncdir-folder"} {
		t.Run(operation, func(t *testing.T) {
			r := start(t, dbtest.SQLite)
			p := r.person(t)
			b := p.fresh(30_000)
			location := p.start(b[:10_000])
			var answer result
			calls := r.trace(t, func() { answer = p.finish(location, b[10_000:], b) }, "fs/"+operation+"/before EIO")
			if answer.status < 500 {
				t.Errorf("a push whose %s failed: %v", operation, answer)
			}
			syncs := 0
			for _, call := range calls {
				if call == "fs/sync-upload/before" {
					syncs++
				}
			}
			if syncs != 1 {
				t.Errorf("the file was synced %d times", syncs)
			}
			p.want("the upload afterwards", p.send(http.MethodGet, location, nil, nil), http.StatusNotFound)
			p.want("the blob afterwards", p.send(http.MethodGet, "/v2/"+places[0]+"/blobs/"+digestOf(b), nil, nil), http.StatusNotFound)
			p.want("the next push", p.whole(b), http.StatusCreated)
			p.wantBlob("after the next push", b)
			p.wantSound()
			outcome(t, fmt.Sprintf("%d, the upload is gone, one sync in all; the next push succeeds", answer.status))
		})
	}
}

// TestFullAndReadOnlyDisk has the store's file system refuse for a while.
func TestFullAndReadOnlyDisk(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ errno, reason string }{
		"full": {"ENOSPC", "insufficient storage"}, "read only": {"EROFS", "cannot be written"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, dbtest.SQLite)
			p := r.person(t)
			old := p.fresh(40_000)
			p.want("push", p.whole(old), http.StatusCreated)
			kept := p.image("v1")
			b := p.fresh(30_000)
			open := p.start(b[:10_000])
			var rules []string
			for _, operation := range []string{"create", "write", "writeat", "writeat-rest", "copy", "rename", "mkdir", "truncate"} {
				if name == "read only" || strings.HasPrefix(operation, "writeat") || operation == "create" || operation == "mkdir" {
					rules = append(rules, "fs/"+operation+"-*/before "+test.errno)
				}
			}
			if name == "read only" {
				rules = append(rules, "fs/remove-*/before EROFS")
			}
			r.plan(t, rules...)
			p.wantBlob("while refused", old)
			p.wantTag("while refused", "v1", kept)
			p.wantClear("POST", p.send(http.MethodPost, "/v2/"+places[0]+"/blobs/uploads/", nil, octets), test.reason)
			p.wantClear("whole", p.whole(p.fresh(2000)), test.reason)
			p.wantClear("PUT of the rest", p.finish(open, b[10_000:], b), test.reason)
			p.want("a tag on what is here", p.tag("v2", kept), http.StatusCreated)
			r.plan(t)
			p.want("the upload goes on", p.finish(open, b[10_000:], b), http.StatusCreated)
			p.wantBlob("afterwards", b)
			p.wantSound()
			outcome(t, "pulls and tags go on, pushes get 503 and the reason, the open upload goes on afterwards")
		})
	}
}

// TestUncertainCommit loses the answer of a commit: never 2xx, and the repetition succeeds.
func TestUncertainCommit(t *testing.T) {
	t.Parallel()
	r := start(t, dbtest.SQLite)
	p := r.person(t)
	b := p.fresh(3000)
	open := p.start(b)
	r.plan(t, "db/finish-upload/after-commit EIO 1")
	p.wantClear("a push whose commit is uncertain", p.finish(open, nil, b), "database")
	p.want("its repetition", p.finish(open, nil, b), http.StatusCreated)
	p.wantBlob("afterwards", b)
	r.plan(t, "db/batch/before-commit EIO 1")
	other := p.fresh(3000)
	p.wantClear("a push whose commit failed", p.whole(other), "database")
	r.plan(t)
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if last := p.whole(other); last.status == http.StatusCreated || time.Now().After(deadline) {
			p.want("after the probe", last, http.StatusCreated)
			break
		}
	}
	p.wantSound()
	outcome(t, "503 and Retry-After; a repetition succeeds; after a failed commit writes resume by themselves")
}
