package legacy_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/overview"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
	"github.com/longshore-registry/longshore/internal/server/legacy"
	"github.com/longshore-registry/longshore/internal/server/record"
)

type noBlobs struct{}

func (noBlobs) Bytes(context.Context, int64, digest.Digest, int64) ([]byte, error) {
	return nil, problem.New(problem.NotFound, "no blob")
}

// place is a handler with the repositories alice/tool, public, and alice/hidden-tool.
type place struct {
	t       *testing.T
	handler http.Handler
}

func newPlace(t *testing.T, d *db.DB, anonymous bool) place {
	t.Helper()
	clock := func() time.Time { return time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC) }
	people, err := identity.NewService(identity.Options{DB: d, SecretKey: "a", DatabaseSecretKey: "b", BcryptCost: 4, Clock: clock})
	check(t, err)
	reg, err := registry.New(registry.Options{DB: d, Content: noBlobs{}, Clock: clock})
	check(t, err)
	authority := access.NewAuthority(access.Options{DB: d, Accounts: people, Clock: clock, Policy: access.Policy{AnonymousAccess: anonymous}})
	alice, err := people.CreateUser(t.Context(), identity.NewUser{Name: "alice", Email: "a@example.com", Password: "correct-horse", Verified: true})
	check(t, err)
	for name, public := range map[string]bool{"tool": true, "hidden-tool": false} {
		_, err := reg.CreateRepository(t.Context(), registry.NewRepository{NamespaceID: alice.ID, Name: name, Public: public, Description: "a " + name})
		check(t, err)
	}
	return place{t, legacy.New(legacy.Options{Identity: people, Access: authority, Lists: overview.New(d), Clock: clock})}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p place) get(path string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	p.t.Helper()
	r := httptest.NewRequestWithContext(p.t.Context(), http.MethodGet, path, nil)
	for _, fn := range change {
		fn(r)
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r.WithContext(record.With(r.Context(), &record.Record{Scheme: "https", Host: "registry.test"})))
	return w
}

func as(name, secret string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(name, secret) }
}

func TestPing(t *testing.T) {
	w := newPlace(t, dbtest.Open(t, dbtest.SQLite), true).get("/v1/_ping")
	if w.Code != http.StatusOK || w.Body.String() != "true" || w.Header().Get("X-Docker-Registry-Version") != "0.6.0" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
}

func TestEveryOtherPathIsGoneWithASentence(t *testing.T) {
	p := newPlace(t, dbtest.Open(t, dbtest.SQLite), true)
	for _, path := range []string{"/v1", "/v1/", "/v1/users/", "/v1/repositories/alice/tool/images", "/v1/searching"} {
		w := p.get(path)
		if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), `{"error":"Docker's first registry protocol is gone`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := p.get("/v1/search", func(r *http.Request) { r.Method = http.MethodPost }); w.Code != http.StatusNotFound {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestSearch(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := newPlace(t, d, true)
		names := func(w *httptest.ResponseRecorder) (names []string) {
			t.Helper()
			var out struct {
				Results []struct{ Name string }
			}
			check(t, json.Unmarshal(w.Body.Bytes(), &out))
			for _, r := range out.Results {
				names = append(names, r.Name)
			}
			return names
		}
		want := `{"query":"tool","num_results":1,"num_pages":1,"page":1,"page_size":25,"results":[
			{"name":"alice/tool","description":"a tool","is_public":true,"href":"https://registry.test/repository/alice/tool"}]}`
		if got := p.get("/v1/search?q=tool").Body.String(); got != strings.NewReplacer("\n", "", "\t", "").Replace(want) {
			t.Errorf("anonymous: %s", got)
		}
		if diff := cmp.Diff([]string{"alice/tool", "alice/hidden-tool"}, names(p.get("/v1/search?q=tool", as("alice", "correct-horse")))); diff != "" {
			t.Error(diff)
		}
		if w := p.get("/v1/search?q=tool", as("alice", "wrong")); w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("a wrong password: %d %s", w.Code, w.Body)
		}
		first := p.get("/v1/search?q=tool&n=1", as("alice", "correct-horse"))
		if !strings.Contains(first.Body.String(), `"num_pages":2,"page":1,"page_size":1`) {
			t.Errorf("the first page: %s", first.Body)
		}
		if diff := cmp.Diff([]string{"alice/hidden-tool"}, names(p.get("/v1/search?q=tool&n=1&page=2", as("alice", "correct-horse")))); diff != "" {
			t.Error(diff)
		}
		for _, query := range []string{"", "?q=", "?q=tool&n=0&page=-3", "?q=tool&n=x&page=99999999999999999999", "?q=%25"} {
			if w := p.get("/v1/search" + query); w.Code != http.StatusOK {
				t.Errorf("%s: %d %s", query, w.Code, w.Body)
			}
		}
		for _, query := range []string{"?q=%00", "?q=%ff", "?q=%zz", "?q=" + url.QueryEscape(strings.Repeat("a", 2000))} {
			if w := p.get("/v1/search" + query); w.Code != http.StatusBadRequest {
				t.Errorf("%.20s: %d %s", query, w.Code, w.Body)
			}
		}
	})
}

func TestWithoutAnonymousAccessTheSearchNeedsAPassword(t *testing.T) {
	p := newPlace(t, dbtest.Open(t, dbtest.SQLite), false)
	if w := p.get("/v1/search?q=tool"); w.Code != http.StatusUnauthorized {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := p.get("/v1/search?q=tool", as("alice", "correct-horse")); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
