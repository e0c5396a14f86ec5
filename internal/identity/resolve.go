package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
)

// principalKey says who to resolve: a credential and its reference, see Resolve.
type principalKey struct {
	credential Credential
	reference  string
}

// resolved is a principal as the database had it.
type resolved struct {
	principal Principal
	expires   time.Time // of the token; zero for never
}

// Resolve says who a registry token or session speaks for, as of at most 30 s ago (an hour while the database is
// away). The reference is the user's uuid (Password, Session), the robot's name (RobotToken), the token's uuid
// (AppToken, OAuthToken) or its lookup part (AccessToken). Unauthenticated means that the account or token is gone,
// expired or disabled. Anonymous is always resolved.
//
// It does not say that nothing changed since the token was issued: see Current.
func (s *Service) Resolve(ctx context.Context, c Credential, reference string) (Principal, error) {
	r, err := s.resolve(ctx, c, reference)
	if err != nil {
		return Principal{}, err
	}
	return r.at(s.now())
}

// Current is Resolve for a token or session that was made when the account had the revision accessRev: it is refused
// after the password was set, the robot's token regenerated or its trust rules changed, or the account disabled.
func (s *Service) Current(ctx context.Context, c Credential, reference string, accessRev int64) (Principal, error) {
	r, err := s.resolve(ctx, c, reference)
	if err == nil && r.principal.Account.AccessRev < accessRev {
		// The token is newer than what is remembered: another process changed the credentials and has issued it.
		r, err = s.reload(ctx, c, reference)
	}
	if err != nil {
		return Principal{}, err
	}
	return r.under(accessRev, s.now())
}

func (s *Service) resolve(ctx context.Context, c Credential, reference string) (resolved, error) {
	if c == Anonymous {
		return resolved{}, nil
	}
	key := principalKey{c, reference}
	return s.resolved.Get(ctx, key, func(ctx context.Context) (resolved, error) { return s.load(ctx, key) })
}

// reload is resolve without what is remembered. A forged revision cannot reach it: the token was verified before.
func (s *Service) reload(ctx context.Context, c Credential, reference string) (resolved, error) {
	key := principalKey{c, reference}
	return s.resolved.Fresh(ctx, key, func(ctx context.Context) (resolved, error) { return s.load(ctx, key) })
}

func (r resolved) at(now time.Time) (Principal, error) {
	if !r.expires.IsZero() && !now.Before(r.expires) {
		return Principal{}, unauthenticated("The token has expired")
	}
	return r.principal, nil
}

func (r resolved) under(accessRev int64, now time.Time) (Principal, error) {
	if r.principal.Account.AccessRev != accessRev {
		return Principal{}, unauthenticated("The credentials were changed since the token was issued")
	}
	return r.at(now)
}

func (s *Service) load(ctx context.Context, key principalKey) (resolved, error) {
	var r resolved
	var err error
	switch key.credential {
	case Password, Session:
		r, err = s.loadUser(ctx, key.reference)
	case RobotToken:
		r, err = s.loadRobot(ctx, key.reference)
	case AppToken:
		r, err = s.loadAppToken(ctx, key.reference)
	case OAuthToken:
		r, err = s.loadOAuthToken(ctx, key.reference)
	case AccessToken:
		r, err = s.loadAccessToken(ctx, key.reference)
	default:
		return resolved{}, unauthenticated("Unknown kind of credential")
	}
	if errors.Is(err, db.ErrNoRows) {
		return resolved{}, unauthenticated("The account or token no longer exists")
	}
	if err != nil {
		return resolved{}, err
	}
	r.principal.Credential = key.credential
	return r, nil
}

func (s *Service) loadUser(ctx context.Context, uuid string) (resolved, error) {
	a, err := scanAccount(s.read.QueryRow(ctx, `SELECT `+accountColumns+` FROM account a
		WHERE a.uuid = $1 AND a.kind = $2 AND a.deleted_ms IS NULL`, uuid, User))
	if err != nil {
		return resolved{}, fmt.Errorf("look up a user: %w", err)
	}
	return enabled(a, resolved{principal: Principal{Account: a}})
}

func (s *Service) loadRobot(ctx context.Context, name string) (resolved, error) {
	if err := s.robotAllowed(name); err != nil {
		return resolved{}, err
	}
	var t accountTargets
	var owner string
	var ownerEnabled bool
	err := s.read.QueryRow(ctx, `SELECT `+accountColumns+`, o.name, o.enabled FROM account a
		JOIN account o ON o.id = a.owner_id AND o.deleted_ms IS NULL
		WHERE a.name = $1 AND a.kind = $2 AND a.deleted_ms IS NULL`, name, Robot).Scan(t.pointers(&owner, &ownerEnabled)...)
	if err != nil {
		return resolved{}, fmt.Errorf("look up a robot: %w", err)
	}
	if !ownerEnabled {
		return resolved{}, ownerDisabled(name, owner)
	}
	a := t.fill()
	return enabled(a, resolved{principal: Principal{Account: a}})
}

func (s *Service) loadAppToken(ctx context.Context, uuid string) (resolved, error) {
	if !s.options.AppTokens {
		return resolved{}, unauthenticated("Application tokens are switched off")
	}
	var t accountTargets
	var title string
	var expires sql.NullInt64
	err := s.read.QueryRow(ctx, `SELECT `+accountColumns+`, k.title, k.expires_ms FROM app_token k
		JOIN account a ON a.id = k.account_id AND a.deleted_ms IS NULL
		WHERE k.uuid = $1`, uuid).Scan(t.pointers(&title, &expires)...)
	if err != nil {
		return resolved{}, fmt.Errorf("look up an application token: %w", err)
	}
	a := t.fill()
	return enabled(a, resolved{
		principal: Principal{Account: a, Reference: uuid, Title: title},
		expires:   nullTime(expires),
	})
}

func (s *Service) loadOAuthToken(ctx context.Context, uuid string) (resolved, error) {
	var t accountTargets
	var application, client, scope string
	var expires int64
	err := s.read.QueryRow(ctx, `SELECT `+accountColumns+`, p.name, p.client_id, k.scope, k.expires_ms FROM oauth_token k
		JOIN oauth_application p ON p.id = k.application_id
		JOIN account o ON o.id = p.organization_id AND o.deleted_ms IS NULL
		JOIN account a ON a.id = k.account_id AND a.deleted_ms IS NULL
		WHERE k.uuid = $1`, uuid).Scan(t.pointers(&application, &client, &scope, &expires)...)
	if err != nil {
		return resolved{}, fmt.Errorf("look up an OAuth token: %w", err)
	}
	scopes, err := ParseScopes(scope)
	if err != nil {
		scopes = 0 // as in Quay, an unknown scope empties the whole
	}
	a := t.fill()
	return enabled(a, resolved{
		principal: Principal{Account: a, Reference: uuid, Title: application, ClientID: client, Scopes: scopes},
		expires:   db.Time(expires),
	})
}

func (s *Service) loadAccessToken(ctx context.Context, lookup string) (resolved, error) {
	p := Principal{Reference: lookup}
	var title sql.NullString
	err := s.read.QueryRow(ctx, `SELECT k.repo_id, k.role, k.name FROM access_token k
		JOIN repository r ON r.id = k.repo_id AND r.deleted_ms IS NULL
		WHERE k.lookup = $1`, lookup).Scan(&p.RepositoryID, &p.RepositoryRole, &title)
	if err != nil {
		return resolved{}, fmt.Errorf("look up an access token: %w", err)
	}
	p.Title = title.String
	return resolved{principal: p}, nil
}

// enabled is r unless its account is disabled.
func enabled(a Account, r resolved) (resolved, error) {
	if !a.Enabled {
		return resolved{}, unauthenticated(disabledText)
	}
	return r, nil
}

// robotAllowed refuses robots where the configuration does.
func (s *Service) robotAllowed(name string) error {
	if s.options.RobotsDisallow && !slices.Contains(s.options.RobotsWhitelist, name) {
		return unauthenticated("Robot accounts are switched off (ROBOTS_DISALLOW); %s is not among those that are allowed", quoted(name))
	}
	return nil
}

func ownerDisabled(robot, owner string) error {
	return unauthenticated("Robot %s cannot be used: its owner %s is disabled", quoted(robot), quoted(owner))
}
