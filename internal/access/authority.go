package access

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/identity/aged"
)

const (
	longestAge = 30 * time.Second // so that a removed permission is refused everywhere within a minute
	spareAge   = time.Hour        // how old facts may be while the database is away
	factsSize  = 20_000
)

// Options configure an Authority. DB is required.
type Options struct {
	DB     *db.DB
	Policy Policy
	// Age is how old facts from the tables may be; 0 and anything above is 30 s.
	Age time.Duration
	// Accounts tells of changes of teams and accounts in this process, so that they count at once; nil for none.
	Accounts *identity.Service
	Audit    identity.Recorder // of changes; nil records none
	Clock    func() time.Time
}

// Authority loads facts, decides by them and keeps the permission tables. Its methods may be called concurrently.
type Authority struct {
	db     *db.DB
	read   db.Queryer // db, outside transactions
	policy Policy
	audit  identity.Recorder
	facts  *aged.Cache[factsKey, Facts]
	first  *aged.Cache[struct{}, string] // the first user's name
}

// NewAuthority makes an authority.
func NewAuthority(o Options) *Authority {
	if o.Age <= 0 || o.Age > longestAge {
		o.Age = longestAge
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Audit == nil {
		o.Audit = identity.NoRecord{}
	}
	x := &Authority{
		db: o.DB, read: o.DB, policy: o.Policy, audit: o.Audit,
		facts: aged.New[factsKey, Facts](aged.Options{Size: factsSize, Age: o.Age, Spare: spareAge, Clock: o.Clock}),
		first: aged.New[struct{}, string](aged.Options{Size: 1, Age: o.Age, Spare: spareAge, Clock: o.Clock}),
	}
	o.DB.OnForeignCommit(x.drop)
	if o.Accounts != nil {
		o.Accounts.OnChange(x.drop)
	}
	return x
}

// drop forgets what is cached. Permissions change rarely, and what is dropped costs one indexed query to get back.
func (x *Authority) drop() {
	x.facts.Drop()
	x.first.Drop()
}

// Policy gives the configured policy.
func (x *Authority) Policy() Policy { return x.policy }

// Check decides by facts of at most Options.Age ago. In the steady state it asks no database.
func (x *Authority) Check(ctx context.Context, p identity.Principal, a Action, o Object) (Decision, error) {
	return x.decide(ctx, Decide, p, a, o, x.facts.Get)
}

// Fresh decides by the tables as they are now: for changes through the API and for issuing tokens.
func (x *Authority) Fresh(ctx context.Context, p identity.Principal, a Action, o Object) (Decision, error) {
	return x.decide(ctx, Decide, p, a, o, x.facts.Fresh)
}

// source gives facts, from memory or from the tables.
type source func(context.Context, factsKey, func(context.Context) (Facts, error)) (Facts, error)

// decider is Decide or outline.
type decider func(identity.Principal, Action, Object, Facts, Policy) Decision

func (x *Authority) decide(ctx context.Context, by decider, p identity.Principal, a Action, o Object, from source) (Decision, error) {
	policy, err := x.policyFor(ctx, p)
	if err != nil {
		return Decision{}, err
	}
	key, known := keyOf(p, o)
	if known {
		return by(p, a, o, simpleFacts(key), policy), nil
	}
	facts, err := from(ctx, key, func(ctx context.Context) (Facts, error) { return loadFacts(ctx, x.read, key) })
	if err != nil {
		return Decision{}, err
	}
	return by(p, a, o, facts, policy), nil
}

// policyFor is the policy with the super users filled in. Only a user can be one, so that for others the first user is
// not looked for.
func (x *Authority) policyFor(ctx context.Context, p identity.Principal) (Policy, error) {
	policy := x.policy
	if len(policy.SuperUsers) > 0 || !policy.SuperUsersEnabled || p.Account.Kind != identity.User {
		return policy, nil
	}
	first, err := x.first.Get(ctx, struct{}{}, x.loadFirstUser)
	switch {
	case errors.Is(err, errNobody):
		return policy, nil
	case err != nil:
		return Policy{}, err
	}
	policy.SuperUsers = []string{first}
	return policy, nil
}

// errNobody says that there is no first user. As an error it is not cached: the first user is a super user at once.
var errNobody = errors.New("there is no first user")

// loadFirstUser finds the user with the lowest id that ever was. When that one was deleted or became an organization
// there is none: the right does not pass to whoever came second. Rows of accounts are never removed.
func (x *Authority) loadFirstUser(ctx context.Context) (string, error) {
	var name string
	var kind identity.Kind
	var deleted sql.NullInt64
	err := x.read.QueryRow(ctx, `SELECT name, kind, deleted_ms FROM account WHERE kind IN (1, 2) ORDER BY id LIMIT 1`).Scan(&name, &kind, &deleted)
	if errors.Is(err, db.ErrNoRows) || err == nil && (deleted.Valid || kind != identity.User) {
		return "", errNobody
	}
	if err != nil {
		return "", fmt.Errorf("look up the first user: %w", err)
	}
	return name, nil
}

// IsSuperUser reports whether the principal's account is a super user's: one of SUPER_USERS, or without them the first
// user. What its credential covers is another question: see Superuse.
func (x *Authority) IsSuperUser(ctx context.Context, p identity.Principal) (bool, error) {
	policy, err := x.policyFor(ctx, p)
	if err != nil {
		return false, err
	}
	return policy.SuperUsersEnabled && p.Account.Kind == identity.User && slices.Contains(policy.SuperUsers, p.Account.Name), nil
}

// SuperUsers gives the names of the super users: those of SUPER_USERS, or without them the first user's.
func (x *Authority) SuperUsers(ctx context.Context) ([]string, error) {
	policy, err := x.policyFor(ctx, identity.Principal{Account: identity.Account{Kind: identity.User}})
	if err != nil || !policy.SuperUsersEnabled {
		return nil, err
	}
	return policy.SuperUsers, nil
}
