package bearer

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

const (
	databaseSecret = "0f8fad5b-d9cb-469f-a165-70867728950e"
	audience       = "registry.example.com"
)

// clock is a time that stands until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newAuthority(t testing.TB, d *db.DB, c *clock, changes ...func(*Options)) *Authority {
	t.Helper()
	o := Options{DB: d, DatabaseSecretKey: databaseSecret, Clock: c.Now}
	for _, change := range changes {
		change(&o)
	}
	a, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func robotClaims() Claims {
	return Claims{
		Subject: "acme+ci", Audience: audience, Credential: identity.RobotToken, Reference: "acme+ci", AccessRev: 7,
		Access: []Access{
			{Type: "repository", Name: "acme/app", Actions: []string{"push", "pull"}},
			{Type: "repository", Name: "acme/other/deep", Actions: []string{}},
		},
	}
}

func issue(t testing.TB, a *Authority, c Claims) string {
	t.Helper()
	token, _, err := a.Issue(c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func wantRefusal(t *testing.T, a *Authority, token, audience, text string) {
	t.Helper()
	c, err := a.Verify(t.Context(), token, audience)
	if !problem.Is(err, problem.Unauthenticated) || !strings.Contains(problem.From(err).Message, text) {
		t.Errorf("got %v, want a refusal with %q", err, text)
	}
	if c.Subject != "" || c.Access != nil {
		t.Error("a refused token gave claims")
	}
}
