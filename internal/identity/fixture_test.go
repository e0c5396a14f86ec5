package identity

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

const rightPassword = "correct-horse"

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

// counter counts queries outside transactions.
type counter struct {
	db.Queryer
	n atomic.Int64
}

func (c *counter) Query(ctx context.Context, query string, args ...any) (db.Rows, error) {
	c.n.Add(1)
	return c.Queryer.Query(ctx, query, args...)
}

func (c *counter) QueryRow(ctx context.Context, query string, args ...any) db.Row {
	c.n.Add(1)
	return c.Queryer.QueryRow(ctx, query, args...)
}

// fixture is a service on a database of its own.
type fixture struct {
	*Service
	t     *testing.T
	db    *db.DB
	clock *clock
	asked *counter
}

func options(d *db.DB, c *clock) Options {
	return Options{
		DB: d, SecretKey: "54321", DatabaseSecretKey: "0f8fad5b-d9cb-469f-a165-70867728950e",
		AppTokens: true, BcryptCost: bcrypt.MinCost, Clock: c.Now,
	}
}

func newFixture(t *testing.T, d *db.DB, changes ...func(*Options)) *fixture {
	t.Helper()
	c := newClock()
	o := options(d, c)
	for _, change := range changes {
		change(&o)
	}
	s, err := NewService(o)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Service: s, t: t, db: d, clock: c, asked: &counter{Queryer: d}}
	s.read = f.asked
	return f
}

// each runs a test on every kind of database.
func each(t *testing.T, fn func(t *testing.T, f *fixture), changes ...func(*Options)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { fn(t, newFixture(t, d, changes...)) })
}

func (f *fixture) user(name string) Account {
	f.t.Helper()
	a, err := f.CreateUser(f.t.Context(), NewUser{Name: name, Email: name + "@example.com", Password: rightPassword, Verified: true})
	if err != nil {
		f.t.Fatalf("create user %s: %v", name, err)
	}
	return a
}

func (f *fixture) organization(name string, creator Account) Account {
	f.t.Helper()
	a, err := f.CreateOrganization(f.t.Context(), name, "", creator.ID)
	if err != nil {
		f.t.Fatalf("create organization %s: %v", name, err)
	}
	return a
}

func (f *fixture) robot(owner Account, short string) RobotInfo {
	f.t.Helper()
	r, err := f.CreateRobot(f.t.Context(), owner, short, "", "")
	if err != nil {
		f.t.Fatalf("create robot %s: %v", short, err)
	}
	return r
}

// exec changes a row behind the service's back, as another process would.
func (f *fixture) exec(query string, args ...any) {
	f.t.Helper()
	if _, err := f.db.Exec(f.t.Context(), query, args...); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) repository(namespace Account, name string) int64 {
	f.t.Helper()
	var id int64
	err := f.db.Hard(f.t.Context(), "test repository", func(ctx context.Context, tx db.Tx) error {
		return tx.QueryRow(ctx, `INSERT INTO repository (namespace_id, name, visibility, badge_token, created_ms)
			VALUES ($1, $2, 2, $3, 0) RETURNING id`, namespace.ID, name, newUUID()).Scan(&id)
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}

func (f *fixture) loggedIn(username, secret string) Principal {
	f.t.Helper()
	p, err := f.Login(f.t.Context(), username, secret)
	if err != nil {
		f.t.Fatalf("login as %s: %v", username, err)
	}
	return p
}

// refusedLogin checks kind and text of a refusal.
func (f *fixture) refusedLogin(username, secret, text string) {
	f.t.Helper()
	p, err := f.Login(f.t.Context(), username, secret)
	wantProblem(f.t, err, problem.Unauthenticated, text)
	if p != (Principal{}) {
		f.t.Errorf("a refused login as %s gave a principal", username)
	}
}

func wantProblem(t *testing.T, err error, kind problem.Kind, text string) {
	t.Helper()
	if !problem.Is(err, kind) || !strings.Contains(problem.From(err).Message, text) {
		t.Errorf("got %v, want kind %d with %q", err, kind, text)
	}
}
