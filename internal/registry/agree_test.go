package registry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

// TestDatabasesAgree runs the same random operations on each kind of database and compares every answer. After each
// it also holds what must always be so, on the first of them.
func TestDatabasesAgree(t *testing.T) {
	var all []*fixture
	for _, kind := range dbtest.Kinds() {
		all = append(all, newFixture(t, dbtest.Open(t, kind)))
	}
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		var worlds []*world
		for _, f := range all {
			worlds = append(worlds, newWorld(f, run))
		}
		for range rapid.IntRange(5, 25).Draw(rt, "steps") {
			step := drawStep(rt)
			want := step.run(worlds[0])
			for i, w := range worlds[1:] {
				if got := step.run(w); got != want {
					rt.Fatalf("%s\n%s: %s\n%s: %s", step.name, dbtest.Kinds()[0], want, dbtest.Kinds()[i+1], got)
				}
			}
			if broken := worlds[0].broken(); broken != "" {
				rt.Fatalf("after %s: %s", step.name, broken)
			}
		}
	})
}

// world is a repository on one database with documents that can be pushed to it.
type world struct {
	*fixture
	repo registry.Repository
	docs []doc
}

var worldTags = []string{"a", "b", "B", "a-1", "a_1"}

func newWorld(f *fixture, run int) *world {
	w := &world{fixture: f, repo: f.repository(f.repo.NamespaceID, fmt.Sprint("run/", run))}
	one := f.image(w.repo, "one", map[string]string{"both": "x", "quay.expires-after": "2h"})
	two := f.image(w.repo, "two", map[string]string{"both": "x"})
	missing := one
	missing.Layers = &[]desc{{MediaType: gzipLayer, Digest: digest.SHA256.Of([]byte("missing")).String(), Size: 7}}
	s := two.desc()
	referrer := f.artifact(w.repo, "application/x.sig", &s, map[string]string{"n": "1"})
	inner := index(one, two)
	w.docs = []doc{one, two, missing, referrer, inner, index(inner, referrer), index(missing)}
	return w
}

// step is one operation whose answer is a text without identifiers.
type step struct {
	name string
	run  func(w *world) string
}

func drawStep(t *rapid.T) step {
	n := rapid.IntRange(0, 6).Draw(t, "document")
	tag := rapid.SampledFrom(worldTags).Draw(t, "tag")
	switch rapid.SampledFrom([]string{"push", "push", "push", "push by digest", "companion", "delete", "delete tag", "pass", "list", "referrers", "unleash"}).Draw(t, "operation") {
	case "push":
		second := rapid.SampledFrom(worldTags).Draw(t, "second tag")
		return step{fmt.Sprint("push ", n, " as ", tag, second), func(w *world) string { return w.put(n, tag, second) }}
	case "push by digest":
		return step{fmt.Sprint("push by digest ", n), func(w *world) string { return w.put(n) }}
	case "companion":
		return step{fmt.Sprint("sign ", n), func(w *world) string { return w.put(3, "sha256-"+w.docs[n].digest().Hex()+".sig") }}
	case "delete":
		return step{fmt.Sprint("delete ", n), func(w *world) string {
			names, err := w.reg.DeleteManifest(w.t.Context(), w.repo, w.docs[n].digest())
			return fmt.Sprint(names, answer(err))
		}}
	case "delete tag":
		return step{"delete tag " + tag, func(w *world) string { return answer(w.reg.DeleteTag(w.t.Context(), w.repo, tag)) }}
	case "pass":
		d := time.Duration(rapid.IntRange(0, 100).Draw(t, "minutes")) * time.Minute
		return step{fmt.Sprint("pass ", d), func(w *world) string { w.pass(d); return "" }}
	case "referrers":
		return step{fmt.Sprint("referrers of ", n), func(w *world) string { return w.listReferrers(n) }}
	case "unleash":
		return step{fmt.Sprint("drop leases of ", n), func(w *world) string {
			w.exec(`DELETE FROM blob_ref WHERE repo_id = $1 AND manifest_id = 0`, w.repo.ID)
			return ""
		}}
	}
	return step{"list", (*world).list}
}

func answer(err error) string {
	if err == nil {
		return "ok"
	}
	p := problem.From(err)
	return fmt.Sprintf("%d %s %s %v", p.Kind, p.Code, p.Message, p.Detail)
}

func (w *world) put(n int, tags ...string) string {
	d := w.docs[n]
	p := registry.Push{Tags: tags, Bytes: d.bytes(), ContentType: d.MediaType}
	if len(tags) == 0 {
		p.Digest = d.digest()
	}
	pushed, err := w.reg.Push(w.t.Context(), w.repo, p)
	return fmt.Sprint(pushed, answer(err), w.list())
}

// list reads everything that can be read.
func (w *world) list() string {
	var b strings.Builder
	names, more, err := w.reg.TagNames(w.t.Context(), w.repo, "", 100)
	fmt.Fprintln(&b, names, more, answer(err))
	history, more, err := w.reg.TagHistory(w.t.Context(), w.repo, registry.TagFilter{Page: 1, Limit: 100})
	fmt.Fprintln(&b, history, more, answer(err))
	for _, tag := range worldTags {
		m, err := w.reg.Manifest(w.t.Context(), w.repo, registry.Reference{Tag: tag})
		fmt.Fprintln(&b, tag, m.Digest, answer(err))
	}
	for n, d := range w.docs {
		m, err := w.reg.Manifest(w.t.Context(), w.repo, registry.Reference{Digest: d.digest()})
		fmt.Fprintln(&b, n, m.MediaType, m.Size, m.Subject, m.ArtifactType, m.ConfigType, m.LayersSize, len(m.Bytes), answer(err))
	}
	return b.String()
}

func (w *world) listReferrers(n int) string {
	list, next, err := w.reg.Referrers(w.t.Context(), w.repo, w.docs[n].digest(), "", 0)
	return fmt.Sprint(list, next, answer(err))
}

// broken names what does not hold of what must always hold.
func (w *world) broken() string {
	for _, rule := range []struct{ what, query string }{
		{"a live tag on an unreadable manifest", `SELECT COUNT(*) FROM tag t JOIN repo_manifest rm ON rm.repo_id = t.repo_id AND rm.manifest_id = t.manifest_id
			WHERE t.repo_id = $1 AND rm.deleted_ms IS NOT NULL`},
		{"a readable index without a readable child", `SELECT COUNT(*) FROM manifest_child c
			JOIN repo_manifest p ON p.repo_id = c.repo_id AND p.manifest_id = c.parent_id AND p.deleted_ms IS NULL
			WHERE c.repo_id = $1 AND NOT EXISTS (SELECT 1 FROM manifest m JOIN repo_manifest rm ON rm.manifest_id = m.id
				WHERE m.digest = c.child AND rm.repo_id = c.repo_id AND rm.deleted_ms IS NULL)`},
		{"an image that is not linked to its config", `SELECT COUNT(*) FROM repo_manifest rm JOIN manifest m ON m.id = rm.manifest_id
			JOIN blob b ON b.digest = m.config_digest WHERE rm.repo_id = $1 AND NOT EXISTS (SELECT 1 FROM blob_ref r
				WHERE r.repo_id = rm.repo_id AND r.manifest_id = m.id AND r.blob_id = b.id)`},
		{"periods that overlap", `SELECT COUNT(*) FROM tag_history a JOIN tag_history b ON a.repo_id = b.repo_id AND a.name = b.name
			AND a.start_ms < b.start_ms AND a.end_ms > b.start_ms WHERE a.repo_id = $1`},
		{"a live period that began before the last ended", `SELECT COUNT(*) FROM tag t JOIN tag_history h ON h.repo_id = t.repo_id AND h.name = t.name
			AND h.end_ms > t.start_ms WHERE t.repo_id = $1`},
		{"a period without length", `SELECT COUNT(*) FROM tag_history WHERE repo_id = $1 AND end_ms <= start_ms`},
		{"an endless pin although the subject is here", `SELECT COUNT(*) FROM repo_manifest r JOIN manifest m ON m.digest = r.subject
			JOIN repo_manifest s ON s.repo_id = r.repo_id AND s.manifest_id = m.id WHERE r.repo_id = $1 AND r.pin_until_ms = 9223372036854775807`},
	} {
		if n := w.number(rule.query, w.repo.ID); n != 0 {
			return fmt.Sprintf("%s (%d)", rule.what, n)
		}
	}
	return ""
}
