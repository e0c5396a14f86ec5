package access

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// clock is a time that stands until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

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

// fixture is an authority with accounts on a database of its own: alice owns the organization acme, bob and the robot
// acme+ci are nothing there yet.
type fixture struct {
	*Authority
	t     *testing.T
	db    *db.DB
	ids   *identity.Service
	clock *clock
	asked *counter

	alice, bob, acme identity.Account
	robot            identity.RobotInfo
}

func newFixture(t *testing.T, d *db.DB, policy Policy) *fixture {
	t.Helper()
	c := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	ids, err := identity.NewService(identity.Options{DB: d, SecretKey: "1", DatabaseSecretKey: "2", BcryptCost: bcrypt.MinCost, Clock: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{
		Authority: NewAuthority(Options{DB: d, Policy: policy, Accounts: ids, Clock: c.Now}),
		t:         t, db: d, ids: ids, clock: c, asked: &counter{Queryer: d},
	}
	f.read = f.asked
	f.alice, f.bob = f.user("alice"), f.user("bob")
	f.acme, err = ids.CreateOrganization(t.Context(), "acme", "", f.alice.ID)
	if err != nil {
		t.Fatal(err)
	}
	f.robot, err = ids.CreateRobot(t.Context(), f.acme, "ci", "", "")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func each(t *testing.T, fn func(t *testing.T, f *fixture)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		fn(t, newFixture(t, d, Policy{AnonymousAccess: true, SuperUsersEnabled: true}))
	})
}

func (f *fixture) user(name string) identity.Account {
	f.t.Helper()
	a, err := f.ids.CreateUser(f.t.Context(), identity.NewUser{Name: name})
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

// repository makes a private repository without permissions.
func (f *fixture) repository(namespace identity.Account, name string) Object {
	f.t.Helper()
	return f.create(namespace, name, 0)
}

// create makes a private repository as a creator does.
func (f *fixture) create(namespace identity.Account, name string, creator int64) Object {
	f.t.Helper()
	o := Object{NamespaceID: namespace.ID, Namespace: namespace.Name, NamespaceKind: namespace.Kind, NamespaceEnabled: true, Name: name}
	err := f.db.Hard(f.t.Context(), "test repository", func(ctx context.Context, tx db.Tx) error {
		err := tx.QueryRow(ctx, `INSERT INTO repository (namespace_id, name, visibility, badge_token, created_ms)
			VALUES ($1, $2, 2, $3, 0) RETURNING id`, namespace.ID, name, uuid.NewString()).Scan(&o.RepositoryID)
		if err != nil {
			return err
		}
		if creator == 0 {
			return nil
		}
		return GrantCreatorTx(ctx, tx, namespace.ID, o.RepositoryID, creator)
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return o
}

func (f *fixture) exec(query string, args ...any) {
	f.t.Helper()
	if _, err := f.db.Exec(f.t.Context(), query, args...); err != nil {
		f.t.Fatal(err)
	}
}

func as(a identity.Account) identity.Principal {
	c := identity.Password
	if a.Kind == identity.Robot {
		c = identity.RobotToken
	}
	return identity.Principal{Credential: c, Account: a}
}

func (f *fixture) may(a identity.Account, action Action, o Object) bool {
	f.t.Helper()
	d, err := f.Check(f.t.Context(), as(a), action, o)
	if err != nil {
		f.t.Fatal(err)
	}
	return d.Allowed
}

// team makes a team of acme with members.
func (f *fixture) team(name string, role TeamRole, members ...int64) int64 {
	f.t.Helper()
	team, _, err := f.ids.SetTeam(f.t.Context(), f.acme.ID, name, role, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, id := range members {
		if err := f.ids.AddTeamMember(f.t.Context(), f.acme.ID, name, id); err != nil {
			f.t.Fatal(err)
		}
	}
	return team.ID
}

func (f *fixture) grant(o Object, s Subject, r Role) {
	f.t.Helper()
	if err := f.Grant(f.t.Context(), o.RepositoryID, s, r); err != nil {
		f.t.Fatal(err)
	}
}

func wantProblem(t *testing.T, err error, kind problem.Kind, text string) {
	t.Helper()
	if !problem.Is(err, kind) || !strings.Contains(problem.From(err).Message, text) {
		t.Errorf("got %v, want kind %d with %q", err, kind, text)
	}
}
