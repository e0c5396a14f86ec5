package app

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// TestUnknownUsersAndWrongPasswordsDoTheSameWork counts what a refused login costs, at every door: one computation of a
// password hash and the same answer, whoever it is. Time is not measured, since it is the machine's.
func TestUnknownUsersAndWrongPasswordsDoTheSameWork(t *testing.T) {
	for _, kind := range dbtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			x := startTarget(t, kind, nil)
			s := &siege{target: x, t: t}
			for name, door := range map[string]func(user string) attack{"the API": s.apiDoor, "the page": s.pageDoor, "the token endpoint": s.tokenDoor} {
				t.Run(name, func(t *testing.T) {
					var first string
					for _, who := range []string{"alice", "disabled", "acme", "nobody", "nobody@example.com"} {
						if who == "disabled" {
							who = s.disabledUser()
						}
						before := x.parts.identity.PasswordHashes()
						r := x.send(t, door(who))
						if n := x.parts.identity.PasswordHashes() - before; n != 1 {
							t.Errorf("%s: %d hashes were computed, want 1", who, n)
						}
						got := fmt.Sprint(r.StatusCode, " ", strings.ReplaceAll(withoutToken(string(r.body)), who, "WHO"))
						if first == "" {
							first = got
						}
						if got != first || r.StatusCode != 401 && r.StatusCode != 403 {
							t.Errorf("%s is answered\n%s\nand alice\n%s", who, got, first)
						}
					}
				})
			}
		})
	}
}

const wrongPassword = "canary-wrong-password"

// disabledUser is a user who was disabled; the first who is asked for makes it.
func (s *siege) disabledUser() string {
	s.t.Helper()
	if _, err := s.parts.identity.Account(s.t.Context(), "dora"); err != nil {
		made, _ := s.person("dora")
		if err := s.parts.identity.SetEnabled(s.t.Context(), made.ID, false); err != nil {
			s.t.Fatal(err)
		}
	}
	return "dora"
}

// visitor is a session in which nobody has signed in.
func (s *siege) visitor() *session {
	s.t.Helper()
	first := s.must(s.t, attack{method: "GET", path: "/csrf_token"}, 200)
	return &session{cookieOf(first.Response), strings.Split(string(first.body), `"`)[3]}
}

func (s *siege) apiDoor(user string) attack {
	body, _ := json.Marshal(map[string]string{"username": user, "password": wrongPassword})
	return attack{session: s.visitor(), method: "POST", path: "/api/v1/signin", body: string(body)}
}

func (s *siege) pageDoor(user string) attack {
	return attack{session: s.visitor(), method: "POST", path: "/signin", header: []string{form}, body: url.Values{"username": {user}, "password": {wrongPassword}}.Encode()}
}

func (s *siege) tokenDoor(user string) attack {
	return attack{method: "GET", path: "/v2/auth", header: []string{basicOf(user, wrongPassword)}}
}

// withoutToken takes the CSRF token out of a page.
func withoutToken(page string) string {
	before, after, found := strings.Cut(page, `name="_csrf_token" value="`)
	if !found {
		return page
	}
	_, after, _ = strings.Cut(after, `"`)
	return before + after
}
