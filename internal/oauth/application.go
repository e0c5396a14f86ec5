package oauth

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// Sizes of what an application is made of, in characters; the first two are Quay's.
const (
	clientIDSize     = 20
	clientSecretSize = 40
	maxName          = 255
	maxText          = 4096
)

// reservedName is the application that Quay's programmatic bootstrap makes (rest-api §5.3).
const reservedName = "__quay_bootstrap_app"

// Application is a program that asks users for tokens.
type Application struct {
	ID             int64
	ClientID       string
	Secret         string // empty where it was not asked for
	OrganizationID int64
	Details
}

// Details is what an organization's administrators say about an application.
type Details struct {
	Name           string
	Description    string
	RedirectURI    string // empty for none: then only this registry's own page is a target
	ApplicationURI string // any text: see Link
	AvatarEmail    string
}

// Link is the application's address where it may be followed: an http or https address; empty for any other text, such
// as a script, which must not become a link on somebody's page.
func (d Details) Link() string {
	if !isLink(d.ApplicationURI) {
		return ""
	}
	return d.ApplicationURI
}

const applicationColumns = `p.id, p.client_id, p.client_secret, p.organization_id, p.name, p.description, p.redirect_uri,
	p.application_uri, COALESCE(p.avatar_email, '')`

func (s *Service) scanApplication(row db.Row, more ...any) (Application, error) {
	var p Application
	var sealed sql.NullString
	targets := append([]any{&p.ID, &p.ClientID, &sealed, &p.OrganizationID, &p.Name, &p.Description, &p.RedirectURI,
		&p.ApplicationURI, &p.AvatarEmail}, more...)
	if err := row.Scan(targets...); err != nil {
		return Application{}, err
	}
	if !sealed.Valid {
		return p, nil
	}
	var err error
	p.Secret, err = s.identity.Open("secret of application "+p.ClientID, sealed.String)
	return p, err
}

// Applications lists an organization's applications, with their secrets, in the order in which they were made.
func (s *Service) Applications(ctx context.Context, organizationID int64) ([]Application, error) {
	rows, err := s.db.Query(ctx, `SELECT `+applicationColumns+` FROM oauth_application p WHERE p.organization_id = $1 ORDER BY p.id`, organizationID)
	if err != nil {
		return nil, fmt.Errorf("list the applications of organization %d: %w", organizationID, err)
	}
	defer rows.Close()
	var all []Application
	for rows.Next() {
		p, err := s.scanApplication(rows)
		if err != nil {
			return nil, fmt.Errorf("list the applications of organization %d: %w", organizationID, err)
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// Application gives one of an organization's applications with its secret; NotFound when it has none of that client id.
func (s *Service) Application(ctx context.Context, organizationID int64, clientID string) (Application, error) {
	return s.applicationTx(ctx, s.db, organizationID, clientID, "")
}

func (s *Service) applicationTx(ctx context.Context, q db.Queryer, organizationID int64, clientID, lock string) (Application, error) {
	if !storable(clientID) {
		return Application{}, unknownApplication()
	}
	p, err := s.scanApplication(q.QueryRow(ctx, `SELECT `+applicationColumns+` FROM oauth_application p
		WHERE p.client_id = $1 AND p.organization_id = $2`+lock, clientID, organizationID))
	if errors.Is(err, db.ErrNoRows) {
		return Application{}, unknownApplication()
	}
	if err != nil {
		return Application{}, fmt.Errorf("look up an application: %w", err)
	}
	return p, nil
}

// Client gives the application of a client id, whosever it is, when its organization stands; NotFound else. The secret
// is in it: what is shown to users must leave it out.
func (s *Service) Client(ctx context.Context, clientID string) (Application, error) {
	return s.clientTx(ctx, s.db, clientID)
}

func (s *Service) clientTx(ctx context.Context, q db.Queryer, clientID string) (Application, error) {
	if !storable(clientID) {
		return Application{}, unknownApplication()
	}
	p, err := s.scanApplication(q.QueryRow(ctx, `SELECT `+applicationColumns+` FROM oauth_application p
		JOIN account o ON o.id = p.organization_id AND o.deleted_ms IS NULL AND o.enabled = 1
		WHERE p.client_id = $1`, clientID))
	if errors.Is(err, db.ErrNoRows) {
		return Application{}, unknownApplication()
	}
	if err != nil {
		return Application{}, fmt.Errorf("look up an application: %w", err)
	}
	return p, nil
}

func unknownApplication() error {
	return problem.New(problem.NotFound, "There is no such application")
}

// storable reports whether both databases take a text: PostgreSQL keeps neither NUL nor what is no UTF-8.
func storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// CreateApplication makes an application with a secret of its own. It is Invalid for details against a rule.
func (s *Service) CreateApplication(ctx context.Context, organizationID int64, d Details) (Application, error) {
	if err := d.check(); err != nil {
		return Application{}, err
	}
	p := Application{ClientID: identity.NewSecret(clientIDSize), Secret: identity.NewSecret(clientSecretSize), OrganizationID: organizationID, Details: d}
	sealed, err := s.identity.Seal(p.Secret)
	if err != nil {
		return Application{}, err
	}
	err = s.db.Hard(ctx, "create application", func(ctx context.Context, tx db.Tx) error {
		if err := livesTx(ctx, tx, organizationID); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `INSERT INTO oauth_application
				(client_id, client_secret, organization_id, name, description, redirect_uri, application_uri, avatar_email)
			VALUES ($1, $2, $3, $4, $5, $6, $7, NULLIF(CAST($8 AS TEXT), '')) RETURNING id`,
			p.ClientID, sealed, organizationID, d.Name, d.Description, d.RedirectURI, d.ApplicationURI, d.AvatarEmail).Scan(&p.ID)
		if err != nil {
			return fmt.Errorf("create application %q: %w", d.Name, err)
		}
		return s.recordTx(ctx, tx, "create_application", p, d.metadata())
	})
	return p, err
}

// livesTx orders a change with the deletion of its organization.
func livesTx(ctx context.Context, tx db.Tx, organizationID int64) error {
	if err := tx.Lock(ctx, db.LockNamespace, organizationID, db.Shared); err != nil {
		return err
	}
	var one int
	err := tx.QueryRow(ctx, `SELECT 1 FROM account WHERE id = $1 AND deleted_ms IS NULL`, organizationID).Scan(&one)
	if errors.Is(err, db.ErrNoRows) {
		return problem.New(problem.NotFound, "There is no organization with id %d", organizationID)
	}
	return err
}

// UpdateApplication replaces an application's details.
func (s *Service) UpdateApplication(ctx context.Context, organizationID int64, clientID string, d Details) (Application, error) {
	if err := d.check(); err != nil {
		return Application{}, err
	}
	return s.change(ctx, "update application", organizationID, clientID, func(ctx context.Context, tx db.Tx, p *Application) error {
		p.Details = d
		_, err := tx.Exec(ctx, `UPDATE oauth_application SET name = $1, description = $2, redirect_uri = $3, application_uri = $4,
			avatar_email = NULLIF(CAST($5 AS TEXT), '') WHERE id = $6`, d.Name, d.Description, d.RedirectURI, d.ApplicationURI, d.AvatarEmail, p.ID)
		if err != nil {
			return fmt.Errorf("update application %d: %w", p.ID, err)
		}
		return s.recordTx(ctx, tx, "update_application", *p, d.metadata())
	})
}

// ResetSecret gives an application a new secret; the old one stops working. Tokens stay.
func (s *Service) ResetSecret(ctx context.Context, organizationID int64, clientID string) (Application, error) {
	secret := identity.NewSecret(clientSecretSize)
	sealed, err := s.identity.Seal(secret)
	if err != nil {
		return Application{}, err
	}
	return s.change(ctx, "reset application secret", organizationID, clientID, func(ctx context.Context, tx db.Tx, p *Application) error {
		p.Secret = secret
		if _, err := tx.Exec(ctx, `UPDATE oauth_application SET client_secret = $1 WHERE id = $2`, sealed, p.ID); err != nil {
			return fmt.Errorf("reset the secret of application %d: %w", p.ID, err)
		}
		return s.recordTx(ctx, tx, "reset_application_client_secret", *p, nil)
	})
}

// DeleteApplication deletes an application with its codes and tokens, which stop working.
func (s *Service) DeleteApplication(ctx context.Context, organizationID int64, clientID string) error {
	_, err := s.change(ctx, "delete application", organizationID, clientID, func(ctx context.Context, tx db.Tx, p *Application) error {
		if _, err := tx.Exec(ctx, `DELETE FROM oauth_application WHERE id = $1`, p.ID); err != nil {
			return fmt.Errorf("delete application %d: %w", p.ID, err)
		}
		s.identity.CredentialsChangedTx(tx)
		return s.recordTx(ctx, tx, "delete_application", *p, nil)
	})
	return err
}

// change makes a change to an organization's application while nobody else changes it.
func (s *Service) change(ctx context.Context, what string, organizationID int64, clientID string,
	change func(context.Context, db.Tx, *Application) error) (Application, error) {
	var p Application
	err := s.db.Hard(ctx, what, func(ctx context.Context, tx db.Tx) (err error) {
		if p, err = s.applicationTx(ctx, tx, organizationID, clientID, tx.ForUpdate()); err != nil {
			return err
		}
		return change(ctx, tx, &p)
	})
	if err != nil {
		return Application{}, err
	}
	return p, nil
}

func (s *Service) recordTx(ctx context.Context, tx db.Tx, kind string, p Application, more map[string]any) error {
	metadata := map[string]any{"application_name": p.Name, "client_id": p.ClientID}
	for name, value := range more {
		metadata[name] = value
	}
	return s.audit.Change(ctx, tx, kind, p.OrganizationID, 0, metadata)
}

func (d Details) metadata() map[string]any {
	return map[string]any{"name": d.Name, "redirect_uri": d.RedirectURI, "application_uri": d.ApplicationURI, "description": d.Description, "avatar_email": d.AvatarEmail}
}

func (d Details) check() error {
	if n := utf8.RuneCountInString(d.Name); strings.TrimSpace(d.Name) == "" || n > maxName {
		return invalid("The name of an application has %d characters, allowed are 1 to %d, not all blank", n, maxName)
	}
	if d.Name == reservedName {
		return invalid("Application name is reserved for bootstrap token provisioning")
	}
	for name, text := range map[string]string{
		"description": d.Description, "redirect_uri": d.RedirectURI, "application_uri": d.ApplicationURI, "avatar_email": d.AvatarEmail,
	} {
		if len(text) > maxText {
			return invalid("%s has %d bytes, allowed are %d", name, len(text), maxText)
		}
	}
	if d.RedirectURI != "" && !registrable(d.RedirectURI) {
		return invalid("redirect_uri must be empty, or an http or https address with a host and without user name, fragment, blanks, backslashes and dot segments")
	}
	if strings.ContainsFunc(d.ApplicationURI, unicode.IsControl) {
		return invalid("application_uri must not have control characters")
	}
	return nil
}
