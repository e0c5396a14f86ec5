package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/oauth"
)

// TestTwoExchangesOfACodeAtOnce: one of the two is answered with a token, the other finds the code used, and since one
// of the two was a thief, the token ends.
func TestTwoExchangesOfACodeAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := newConsenting(t, d)
		for range 5 {
			code := c.code("scope", "repo:write")
			var given, refused []string
			var mu sync.Mutex
			var both sync.WaitGroup
			for range 2 {
				both.Go(func() {
					a, text := c.exchange(code)
					mu.Lock()
					defer mu.Unlock()
					if a.status == http.StatusOK {
						given = append(given, text)
					} else {
						refused = append(refused, text)
					}
				})
			}
			both.Wait()
			if len(given) != 1 || len(refused) != 1 || refused[0] != "invalid_grant" {
				t.Fatalf("given %d, refused %q", len(given), refused)
			}
			if c.loggedIn(given[0]) {
				t.Error("the token of a code that was shown twice works")
			}
		}
	})
}

func TestAnApplicationHasNoMoreTokensThanAllowed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := newConsenting(t, d, func(s *settings) { s.maxTokens = 2 })
		path := "/api/v1/organization/acme/applications/" + c.app.ClientID + "/tokens"
		c.alice.check(t, []call{
			{name: "the first", method: http.MethodPost, path: path, body: `{"name":"a","scope":"repo:read","expiration":60}`, status: 200},
			{name: "the second", method: http.MethodPost, path: path, body: `{"name":"a","scope":"repo:read"}`, status: 200},
			{name: "one too many", method: http.MethodPost, path: path, body: `{"name":"a","scope":"repo:read"}`, status: 400,
				text: `{"message":"Token limit reached: maximum 2 non-expired tokens per application"}`},
		})
		c.pass(61 * time.Second)
		wantStatus(t, "after one has expired", c.alice.do(http.MethodPost, path, `{"name":"a","scope":"repo:read"}`), 200)
		statuses := make(chan int, 4)
		if err := c.oauth.DeleteToken(t.Context(), c.app.OrganizationID, c.app.ClientID, newest(t, c, path)); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range cap(statuses) {
			all.Go(func() { statuses <- c.alice.do(http.MethodPost, path, `{"name":"a","scope":"repo:read"}`).status })
		}
		all.Wait()
		close(statuses)
		made := 0
		for status := range statuses {
			if status == http.StatusOK {
				made++
			}
		}
		if made != 1 {
			t.Errorf("%d of four at once were made where one fits", made)
		}
	})
}

type tokenList struct {
	Tokens []struct{ UUID, Name string }
	Next   string `json:"next_page"`
}

func listTokens(t *testing.T, c *consenting, path string) tokenList {
	t.Helper()
	var list tokenList
	if a := c.alice.do(http.MethodGet, path, ""); json.Unmarshal([]byte(a.body), &list) != nil || a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return list
}

func newest(t *testing.T, c *consenting, path string) string {
	t.Helper()
	return listTokens(t, c, path).Tokens[0].UUID
}

func TestTheSecondPageOfTokensGoesOn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := newConsenting(t, d)
		const all = 53
		for i := range all {
			if _, err := c.oauth.CreateToken(t.Context(), c.app.OrganizationID, c.app.ClientID, oauth.NewToken{
				Name: fmt.Sprint(i), Scopes: 1, UserID: c.account("alice").ID,
			}); err != nil {
				t.Fatal(err)
			}
		}
		path := "/api/v1/organization/acme/applications/" + c.app.ClientID + "/tokens"
		first := listTokens(t, c, path)
		if len(first.Tokens) != 50 || first.Next == "" || first.Tokens[0].Name != "52" {
			t.Fatalf("%d tokens on the first page, next %q", len(first.Tokens), first.Next)
		}
		second := listTokens(t, c, path+"?next_page="+first.Next)
		if len(second.Tokens) != 3 || second.Next != "" || second.Tokens[0].Name != "2" || second.Tokens[2].Name != "0" {
			t.Errorf("the second page: %+v", second)
		}
		other := must(c.oauth.CreateApplication(t.Context(), c.app.OrganizationID, oauth.Details{Name: "other"}))(t)
		elsewhere := "/api/v1/organization/acme/applications/" + other.ClientID + "/tokens?next_page=" + first.Next
		if a := c.alice.do(http.MethodGet, elsewhere, ""); strings.Contains(a.body, `"name"`) {
			t.Errorf("another application's list goes on with these tokens: %s", a.body)
		}
	})
}

// TestATokenOfAQuayIsStoredAnewAtItsFirstUse: an imported token has a bcrypt hash, which costs a quarter of a second.
func TestATokenOfAQuayIsStoredAnewAtItsFirstUse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := newConsenting(t, d)
		_, token := c.exchange(c.code())
		slow := must(bcrypt.GenerateFromPassword([]byte(token[20:]), bcrypt.MinCost))(t)
		err := d.Hard(t.Context(), "test", func(ctx context.Context, tx db.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE oauth_token SET secret_hash = NULL, secret_bcrypt = $1 WHERE lookup = $2`, string(slow), token[:20])
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		stored := func() (fast, slow bool) {
			t.Helper()
			err := d.QueryRow(t.Context(), `SELECT CASE WHEN secret_hash IS NULL THEN 0 ELSE 1 END = 1, CASE WHEN secret_bcrypt IS NULL THEN 0 ELSE 1 END = 1
				FROM oauth_token WHERE lookup = $1`, token[:20]).Scan(&fast, &slow)
			if err != nil {
				t.Fatal(err)
			}
			return fast, slow
		}
		wrong := token[:20] + strings.Repeat("A", 20)
		wantStatus(t, "a wrong secret", c.bearer(wrong).do(http.MethodGet, "/api/v1/user/starred", ""), 401)
		if fast, slow := stored(); fast || !slow {
			t.Error("a wrong secret changed what is stored")
		}
		if !c.works(token) {
			t.Error("the imported token does not work")
		}
		if fast, slow := stored(); !fast || slow {
			t.Error("the token was not stored anew")
		}
		if !c.works(token) || c.loggedIn(wrong) {
			t.Error("the token does not work as it is stored now, or a wrong one does")
		}
	})
}

// TestApplicationsThatProgramsAuthorize: for a listed client id a user's password by HTTP Basic stands in for the CSRF
// token, and for nothing else.
func TestApplicationsThatProgramsAuthorize(t *testing.T) {
	c := newConsenting(t, dbtest.Open(t, dbtest.SQLite))
	c.api.options.DirectApplications = []string{c.app.ClientID}
	other := must(c.oauth.CreateApplication(t.Context(), c.app.OrganizationID, oauth.Details{Name: "other", RedirectURI: callback}))(t)
	program := func(name, secret string, change ...func(*http.Request)) func(ask ...string) answer {
		return func(ask ...string) answer {
			p := &client{w: c.world, header: http.Header{"Authorization": {basic(name, secret)}}}
			form := c.ask(append([]string{"response_type", "token"}, ask...)...)
			return p.post("/oauth/authorizeapp", form, change...)
		}
	}
	alice := program("alice", password)
	if a := alice(); a.status != http.StatusFound || !strings.Contains(a.header.Get("Location"), "#access_token=") {
		t.Errorf("a listed application: %d %s", a.status, a.body)
	}
	for name, a := range map[string]answer{
		"an application that is not listed":       alice("client_id", other.ClientID),
		"a wrong password":                        program("alice", "wrong-horse")(),
		"a page of another site":                  program("alice", password, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") })(),
		"a listed client id in the query alone":   (&client{w: c.world, header: http.Header{"Authorization": {basic("alice", password)}}}).post("/oauth/authorizeapp?client_id="+c.app.ClientID, c.ask("client_id", other.ClientID)),
		"a session beside it, without a password": c.alice.post("/oauth/authorizeapp", c.ask("_csrf_token", "wrong")),
		"a user who may not":                      program("bob", password)(),
	} {
		if a.status != http.StatusForbidden {
			t.Errorf("%s: %d %s", name, a.status, a.header.Get("Location"))
		}
	}
}
