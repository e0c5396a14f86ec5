package rest

import (
	"net/http"
	"testing"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

func TestImmutableTags(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d, func(s *settings) { s.options.Immutable = true })
		for _, name := range []string{"alice", "bob"} {
			w.user(name)
		}
		app := w.repository("alice", "app")
		w.grant(app, "bob", access.Write)
		w.tag(app, "v2")
		digest := w.tag(app, "v1")
		const tag = "/api/v1/repository/alice/app/tag/v1"
		w.session("bob").check(t, []call{
			{name: "who may write makes a tag immutable", method: http.MethodPut, path: tag, body: `{"immutable":true}`, status: 201, text: `"Updated"`},
			{name: "the list says so", method: http.MethodGet, path: "/api/v1/repository/alice/app/tag/?specificTag=v1", status: 200, text: `"immutable":true`},
			{name: "and of others that they are not", method: http.MethodGet, path: "/api/v1/repository/alice/app/tag/?specificTag=v2", status: 200, text: `"immutable":false`},
			{name: "it is not moved", method: http.MethodPut, path: tag, body: `{"manifest_digest":"` + digest + `"}`, status: 409, text: `"error_message":"Cannot overwrite immutable tag 'v1'","error_type":"tag_immutable"`},
			{name: "nor deleted", method: http.MethodDelete, path: tag, status: 409, text: `Cannot delete immutable tag 'v1'`},
			{name: "nor restored", method: http.MethodPost, path: tag + "/restore", body: `{"manifest_digest":"` + digest + `"}`, status: 409, text: `Cannot restore immutable tag 'v1'`},
			{name: "nor removed for good", method: http.MethodPost, path: tag + "/expire", body: `{"is_alive":true}`, status: 409, text: `tag_immutable`},
			{name: "nor does it expire", method: http.MethodPut, path: tag, body: `{"expiration":1798999999}`, status: 400, text: `{"message":`},
			{name: "who may only write does not free it", method: http.MethodPut, path: tag, body: `{"immutable":false}`, status: 403, text: `insufficient_scope`},
		})
		w.session("alice").check(t, []call{
			{name: "an administrator frees it", method: http.MethodPut, path: tag, body: `{"immutable":false}`, status: 201},
			{name: "then it can be deleted", method: http.MethodDelete, path: tag, status: 204},
		})
	})
}

func TestStatesCannotBeChangedWithoutMirrors(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) { s.options.Mirror, s.options.PurgeTags = false, false })
	w.user("alice")
	w.tag(w.repository("alice", "app"), "v1")
	w.session("alice").check(t, []call{
		{name: "the state", method: http.MethodPut, path: "/api/v1/repository/alice/app/changestate", body: `{"state":"NORMAL"}`, status: 405},
		{name: "removal for good", method: http.MethodPost, path: "/api/v1/repository/alice/app/tag/v1/expire", body: `{"is_alive":true}`, status: 405},
	})
}
