package rest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

func TestANewLabelTellsItsAddress(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	w.user("alice")
	digest := w.tag(w.repository("alice", "app"), "v1")
	alice := w.session("alice")
	a := alice.do(http.MethodPost, "/api/v1/repository/alice/app/manifest/"+digest+"/labels", `{"key":"team","value":"x","media_type":null}`)
	path, found := strings.CutPrefix(a.header.Get("Location"), "http://registry.test")
	if a.status != http.StatusCreated || !found {
		t.Fatalf("%d %s, Location %q", a.status, a.body, a.header.Get("Location"))
	}
	alice.check(t, []call{
		{name: "the label is there", method: http.MethodGet, path: path, status: 200, text: `"key":"team"`},
		{name: "it can be deleted", method: http.MethodDelete, path: path, status: 204},
		{name: "once", method: http.MethodDelete, path: path, status: 404},
	})
}
