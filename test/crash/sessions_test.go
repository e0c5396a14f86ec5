//go:build e2e

package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// visitor is a user who signs in with a browser.
const visitor = "carol"

func sessionKey(cookie string) string { return "session " + cookie }

// addUser makes a user with the usual password.
func (r *registry) addUser(t *testing.T, name string) {
	t.Helper()
	out, err := r.Run(t.Context(), password+"\n", "user", "create", name, "--email", name+"@example.org", "--password-stdin")
	if err != nil {
		t.Fatal(out, err)
	}
}

// changeSession signs the visitor in, or out everywhere. Only one client does: signing out ends every session there is.
func (a *actor) changeSession(ctx context.Context) error {
	if a.id != 0 {
		return a.step(ctx, changeRobot)
	}
	b := browser{client: a.client}
	if err := b.open(ctx); err != nil {
		return err
	}
	r, err := b.send(ctx, http.MethodPost, "/api/v1/signin", map[string]string{"username": visitor, "password": password})
	if err != nil {
		return err
	}
	if r.status != http.StatusOK {
		return unexpected{fmt.Errorf("signing in: %v", r)}
	}
	a.journal.settleQuietly(sessionKey(b.cookie), visitor)
	a.journal.touch(sessionKey(b.cookie))
	*a.signedIn = append(*a.signedIn, sessionKey(b.cookie))
	if len(*a.signedIn)%2 == 1 {
		return nil
	}
	var sets []string
	for _, key := range *a.signedIn {
		sets = append(sets, key, "")
	}
	s := a.sets(sets...)
	r, err = b.send(ctx, http.MethodPost, "/api/v1/signout", nil)
	applied, err := s.answered(r, err, http.StatusOK)
	if applied {
		*a.signedIn = nil
	}
	return err
}

// browser is a client with a cookie.
type browser struct {
	client       *client
	cookie, csrf string
}

// open gets the CSRF token, and a session when there is none.
func (b *browser) open(ctx context.Context) error {
	r, err := b.send(ctx, http.MethodGet, "/csrf_token", nil)
	if err != nil {
		return err
	}
	var answer struct {
		Token string `json:"csrf_token"`
	}
	if err := json.Unmarshal(r.body, &answer); err != nil || answer.Token == "" || b.cookie == "" {
		return unexpected{fmt.Errorf("no session from /csrf_token: %v, cookie %q", r, b.cookie)}
	}
	b.csrf = answer.Token
	return nil
}

func (b *browser) send(ctx context.Context, method, path string, body any) (result, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return result{}, err
	}
	request, err := http.NewRequestWithContext(ctx, method, b.client.base+path, bytes.NewReader(data))
	if err != nil {
		return result{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Requested-With", "XMLHttpRequest")
	request.Header.Set("X-CSRF-Token", b.csrf)
	if b.cookie != "" {
		request.Header.Set("Cookie", "_csrf_token="+b.cookie)
	}
	r, err := b.client.do(request)
	if err != nil {
		return r, err
	}
	for _, line := range r.header["Set-Cookie"] {
		if value, ok := strings.CutPrefix(line, "_csrf_token="); ok {
			b.cookie, _, _ = strings.Cut(value, ";")
		}
	}
	if next := r.header.Get("X-Next-CSRF-Token"); next != "" {
		b.csrf = next
	}
	return r, nil
}

// session gives whose session a cookie belongs to, empty for nobody's.
func (c *checker) session(ctx context.Context, cookie string) (string, error) {
	b := browser{client: c.client, cookie: cookie}
	r, err := b.send(ctx, http.MethodGet, "/api/v1/user/", nil)
	if err != nil || r.status == http.StatusUnauthorized {
		return "", err
	}
	var answer struct{ Username string }
	if r.status != http.StatusOK || json.Unmarshal(r.body, &answer) != nil {
		return "", fmt.Errorf("GET of the user of a session: %v", r)
	}
	return answer.Username, nil
}
