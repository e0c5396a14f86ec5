package rest

import (
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
)

func TestPullStatistics(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d, func(s *settings) { s.options.PullStatistics = true })
		for _, name := range []string{"alice", "mallory"} {
			w.user(name)
		}
		app := w.repository("alice", "app")
		v1, v2 := w.tag(app, "v1"), w.tag(app, "v2")
		const base = "/api/v1/repository/alice/app"
		never := `{"tag_name":"v1","tag_pull_count":0,"last_tag_pull_date":null,"current_manifest_digest":"` + v1 + `","manifest_pull_count":0,"last_manifest_pull_date":null}`
		unknown := base + "/manifest/" + digest.SHA256.Of([]byte("nothing")).String() + "/pull_statistics"
		w.session("alice").check(t, []call{
			{name: "a tag that was never pulled", method: http.MethodGet, path: base + "/tag/v1/pull_statistics", status: 200, text: never},
			{name: "a manifest that was never pulled", method: http.MethodGet, path: base + "/manifest/" + v2 + "/pull_statistics", status: 200,
				text: `{"manifest_digest":"` + v2 + `","manifest_pull_count":0,"last_manifest_pull_date":null}`},
			{name: "an unknown tag", method: http.MethodGet, path: base + "/tag/v9/pull_statistics", status: 404, text: `"error_type":"not_found"`},
			{name: "an unknown manifest", method: http.MethodGet, path: unknown, status: 404, text: `"error_type":"not_found"`},
			{name: "what is no digest", method: http.MethodGet, path: base + "/manifest/sha256:xyz/pull_statistics", status: 404, text: `"error_type":"not_found"`},
		})
		w.session("mallory").check(t, []call{
			{name: "a tag of who may not read", method: http.MethodGet, path: base + "/tag/v1/pull_statistics", status: 403},
			{name: "a manifest of who may not read", method: http.MethodGet, path: unknown, status: 403},
		})

		counting, err := audit.Open(t.Context(), audit.Options{DB: d, Dir: t.TempDir(), CountPulls: true, Clock: w.clock, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = counting.Close(t.Context()) }()
		of, err := digest.Parse(v1)
		if err != nil {
			t.Fatal(err)
		}
		for i, tag := range []string{"v1", "v1", ""} {
			pulled := audit.Entry{Kind: audit.PullRepo, At: w.now.Add(time.Duration(i) * time.Second), NamespaceID: app.NamespaceID, RepositoryID: app.ID, Tag: tag, Digest: of}
			if err := counting.Pulled(pulled); err != nil {
				t.Fatal(err)
			}
		}
		if err := counting.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		const byTag, last = "Sat, 02 Jan 2027 03:04:06 -0000", "Sat, 02 Jan 2027 03:04:07 -0000"
		w.session("alice").check(t, []call{
			{name: "pulls by the tag, and of its manifest", method: http.MethodGet, path: base + "/tag/v1/pull_statistics", status: 200,
				text: fmt.Sprintf(`{"tag_name":"v1","tag_pull_count":2,"last_tag_pull_date":%q,"current_manifest_digest":%q,"manifest_pull_count":3,"last_manifest_pull_date":%q}`, byTag, v1, last)},
			{name: "pulls of a manifest", method: http.MethodGet, path: base + "/manifest/" + v1 + "/pull_statistics", status: 200,
				text: fmt.Sprintf(`{"manifest_digest":%q,"manifest_pull_count":3,"last_manifest_pull_date":%q}`, v1, last)},
			{name: "the repository's popularity", method: http.MethodGet, path: "/api/v1/repository?namespace=alice&popularity=true", status: 200, text: `"popularity":3`},
			{name: "its days", method: http.MethodGet, path: base + "?includeStats=true&includeTags=false", status: 200, text: `{"date":"2027-01-02","count":3}`},
			{name: "what a search tells", method: http.MethodGet, path: "/api/v1/find/repositories?query=app&includeUsage=true", status: 200, text: `"popularity":3`},
		})
	})
}
