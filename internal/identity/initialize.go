package identity

import (
	"context"
	"fmt"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// What initialize hands out (rest-api §3.5, config §15).
const (
	initialApplication   = "automation"
	initialTokenLifetime = 9000 * time.Second
)

// Initialize makes the first user, verified, in one transaction; with accessToken also the OAuth application
// "automation" of the user's namespace, whose client id is the user's name, and a token with all scopes for two and a
// half hours. It is Invalid when any account was ever made; of two calls at once one makes the user.
func (s *Service) Initialize(ctx context.Context, u NewUser, accessToken bool) (Account, string, error) {
	u.Verified = true
	if u.Password == "" {
		return Account{}, "", ValidatePassword("")
	}
	row, err := s.prepareUser(ctx, u)
	if err != nil {
		return Account{}, "", err
	}
	var user Account
	var token string
	err = s.db.Hard(ctx, "initialize", func(ctx context.Context, tx db.Tx) (err error) {
		user, token, err = s.initializeTx(ctx, tx, row, accessToken)
		return err
	})
	if err != nil {
		return Account{}, "", err
	}
	return user, token, nil
}

func (s *Service) initializeTx(ctx context.Context, tx db.Tx, row newAccount, accessToken bool) (Account, string, error) {
	if err := tx.Lock(ctx, db.LockNamespace, allAccounts, db.Exclusive); err != nil {
		return Account{}, "", err
	}
	some, err := hasAccountsTx(ctx, tx)
	if err != nil {
		return Account{}, "", err
	}
	if some {
		return Account{}, "", problem.New(problem.Invalid, "Cannot initialize user in a non-empty database")
	}
	s.changed(tx) // there is a first user now
	user, err := s.insertUserTx(ctx, tx, row)
	if err != nil || !accessToken {
		return user, "", err
	}
	application, err := s.insertApplicationTx(ctx, tx, user)
	if err != nil {
		return Account{}, "", err
	}
	issued, err := s.issueLoggedTx(ctx, tx, NewOAuthToken{
		ApplicationID: application, AccountID: user.ID, Scopes: AllScopes, Lifetime: initialTokenLifetime,
	})
	return user, issued.Token, err
}

func (s *Service) insertApplicationTx(ctx context.Context, tx db.Tx, user Account) (int64, error) {
	secret, err := s.fields.Encrypt(randomToken(applicationSecret))
	if err != nil {
		return 0, err
	}
	var id int64
	err = tx.QueryRow(ctx, `INSERT INTO oauth_application (client_id, client_secret, organization_id, name)
		VALUES ($1, $2, $3, $4) RETURNING id`, user.Name, secret, user.ID, initialApplication).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("create the application %q: %w", initialApplication, err)
	}
	return id, s.logTx(ctx, tx, "create_application", user.ID, map[string]any{"application_name": initialApplication, "client_id": user.Name})
}
