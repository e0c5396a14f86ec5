package bearer

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
)

// ServiceKey is a public key by which a service beside the registry is known (rest-api §22). It counts while it is
// approved and has not expired.
type ServiceKey struct {
	KID      string
	Service  string
	Name     string
	JWK      json.RawMessage
	Metadata json.RawMessage // an object
	Created  time.Time
	Expires  time.Time     // zero for never
	Rotation time.Duration // how long the key lives on once it has a successor; 0: to its own end
	Approval *Approval     // nil while nobody has approved it
}

// Approval says who let a service key count.
type Approval struct {
	Type     string // one of Quay's words, see below
	At       time.Time
	Approver identity.Account // zero when the registry itself did, or the account is gone
	Notes    string
}

// The types of approval.
const (
	approvedBySuperuser = "Super User API"
	approvedByRotation  = "Key Rotation"
	approvedBySystem    = "Automatic"
)

const serviceKeyColumns = `k.kid, k.service, k.name, k.jwk, k.metadata, k.created_ms, COALESCE(k.expires_ms, 0), COALESCE(k.rotation_s, 0),
	COALESCE(k.approval_type, ''), k.approved_ms, k.approval_notes,
	a.id, COALESCE(a.name, ''), COALESCE(a.email, ''), COALESCE(a.enabled, 0), COALESCE(a.verified, 0)`

const serviceKeyTables = ` FROM service_key k LEFT JOIN account a ON a.id = k.approver_id AND a.deleted_ms IS NULL`

// notStale leaves out what nobody approved in time; $1 is when such a key must have been made.
const notStale = `(k.approved_ms IS NOT NULL OR k.created_ms > $1)`

// ServiceKeys lists the keys of all services, oldest first, also those that are not approved or have expired.
func (a *Authority) ServiceKeys(ctx context.Context) ([]ServiceKey, error) {
	rows, err := a.read.Query(ctx, `SELECT `+serviceKeyColumns+serviceKeyTables+` WHERE `+notStale+` ORDER BY k.id`, a.staleBefore())
	if err != nil {
		return nil, fmt.Errorf("list the service keys: %w", err)
	}
	defer rows.Close()
	var keys []ServiceKey
	for rows.Next() {
		k, err := scanServiceKey(rows)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, rows.Err()
}

// ServiceKey gives one key, or NotFound.
func (a *Authority) ServiceKey(ctx context.Context, kid string) (ServiceKey, error) {
	return a.serviceKey(ctx, a.read, kid, "")
}

// serviceKey looks a key up; lock is what follows the statement.
func (a *Authority) serviceKey(ctx context.Context, q db.Queryer, kid, lock string) (ServiceKey, error) {
	if !storable(kid) {
		return ServiceKey{}, unknownKey()
	}
	text := `SELECT ` + serviceKeyColumns + serviceKeyTables + ` WHERE ` + notStale + ` AND k.kid = $2`
	if lock != "" {
		text += lock + ` OF k`
	}
	k, err := scanServiceKey(q.QueryRow(ctx, text, a.staleBefore(), kid))
	if errors.Is(err, db.ErrNoRows) {
		return ServiceKey{}, unknownKey()
	}
	return k, err
}

func scanServiceKey(row interface{ Scan(...any) error }) (ServiceKey, error) {
	var k ServiceKey
	var jwk, metadata, kind, notes, email string
	var created, expires, rotation, enabled, verified int64
	var approved, approver sql.NullInt64
	var who identity.Account
	err := row.Scan(&k.KID, &k.Service, &k.Name, &jwk, &metadata, &created, &expires, &rotation,
		&kind, &approved, &notes, &approver, &who.Name, &email, &enabled, &verified)
	if err != nil {
		return k, fmt.Errorf("look up a service key: %w", err)
	}
	k.JWK, k.Metadata, k.Created, k.Rotation = json.RawMessage(jwk), json.RawMessage(metadata), db.Time(created), time.Duration(rotation)*time.Second
	if expires != 0 {
		k.Expires = db.Time(expires)
	}
	if approved.Valid {
		k.Approval = &Approval{Type: kind, At: db.Time(approved.Int64), Notes: notes}
		if approver.Valid {
			who.ID, who.Kind, who.Email, who.Enabled, who.Verified = approver.Int64, identity.User, email, enabled != 0, verified != 0
			k.Approval.Approver = who
		}
	}
	return k, nil
}

// staleBefore is when a key that nobody approved must have been made to count as gone, in Unix milliseconds.
func (a *Authority) staleBefore() int64 {
	return db.Millis(a.options.Clock().Add(-a.options.Unapproved))
}

// alive reports whether the key counts.
func (k ServiceKey) alive(now time.Time) bool {
	return k.Approval != nil && (k.Expires.IsZero() || now.Before(k.Expires))
}

// seconds is a time as log entries and notes have it; nil for none.
func seconds(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Unix()
}

func nullMillis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return db.Millis(t)
}
