package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

func TestInitializeAtOnceMakesOneUser(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d, func(s *settings) { s.options.Initialize = true })
		var made atomic.Int32
		var group sync.WaitGroup
		for i := range 6 {
			group.Go(func() {
				body := fmt.Sprintf(`{"username":"first%d","password":"%s","email":"first%d@example.com"}`, i, password, i)
				a := (&client{w: w, header: http.Header{}}).do(http.MethodPost, "/api/v1/user/initialize", body)
				switch {
				case a.status == http.StatusOK:
					made.Add(1)
				case a.status != http.StatusBadRequest || !strings.Contains(a.body, "non-empty database"):
					t.Errorf("%d %s", a.status, a.body)
				}
			})
		}
		group.Wait()
		if made.Load() != 1 {
			t.Errorf("%d users were made", made.Load())
		}
	})
}

func TestRepositoriesPageByPage(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const many = 2*repositoriesPerPage + 5
		w := newWorld(t, d)
		w.user("alice")
		for i := range many {
			w.repository("alice", fmt.Sprintf("app%03d", i))
		}
		c := w.session("alice")
		var names []string
		pages, next := 0, ""
		for {
			a := c.do(http.MethodGet, "/api/v1/repository?namespace=alice&next_page="+url.QueryEscape(next), "")
			var page struct {
				Repositories []struct{ Name string }
				NextPage     string `json:"next_page"`
			}
			if err := json.Unmarshal([]byte(a.body), &page); err != nil || a.status != http.StatusOK {
				t.Fatalf("%d %s", a.status, a.body)
			}
			for _, r := range page.Repositories {
				names = append(names, r.Name)
			}
			if pages++; page.NextPage == "" {
				break
			}
			next = page.NextPage
		}
		if pages != 3 || len(names) != many || names[0] != "app000" || names[many-1] != fmt.Sprintf("app%03d", many-1) {
			t.Errorf("%d names on %d pages, from %s to %s", len(names), pages, names[0], names[len(names)-1])
		}
	})
}

func TestSwitchedOff(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) { s.options.DirectLogin = false })
	w.anonymous().check(t, []call{
		{"signing in without FEATURE_DIRECT_LOGIN", http.MethodPost, "/api/v1/signin", `{"username":"a","password":"b"}`, 405, `"error"`},
		{"initialize without FEATURE_USER_INITIALIZE", http.MethodPost, "/api/v1/user/initialize", `{}`, 404, `"error"`},
	})
	other := newWorld(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) {
		s.options.Initialize, s.options.DatabaseAuth, s.options.Mailing = true, false, true
	})
	other.anonymous().check(t, []call{
		{"initialize with another login service", http.MethodPost, "/api/v1/user/initialize", `{"username":"first","password":"correct-horse"}`, 400, `{"message":"Cannot initialize user in a non-database auth system"}`},
	})
}

func TestMailing(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) { s.options.Mailing = true })
	w.user("alice")
	if _, err := w.db.Exec(t.Context(), `UPDATE account SET verified = 0 WHERE name = 'alice'`); err != nil {
		t.Fatal(err)
	}
	w.user("bob")
	w.anonymous().check(t, []call{
		{"an unconfirmed address", http.MethodPost, "/api/v1/signin", `{"username":"alice","password":"` + password + `"}`, 403,
			`{"invalidCredentials":false,"message":null,"needsEmailVerification":true}`},
	})
	w.session("bob").check(t, []call{
		{"an organization without an address", http.MethodPost, "/api/v1/organization/", `{"name":"acme"}`, 201, "Created"},
		{"contact_email wins over email", http.MethodPost, "/api/v1/organization/", `{"name":"other","email":"nowhere","contact_email":"acme@example.com"}`, 201, ""},
	})
}
