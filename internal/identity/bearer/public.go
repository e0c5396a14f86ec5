package bearer

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// PublicKey is a key as the key endpoints show it.
type PublicKey struct {
	JWK     json.RawMessage
	Expires time.Time // zero for never
}

// Keys lists a service's public keys that are approved and alive, oldest first (rest-api §22, key server).
func (a *Authority) Keys(ctx context.Context, service string) ([]json.RawMessage, error) {
	if !storable(service) {
		return []json.RawMessage{}, nil
	}
	rows, err := a.read.Query(ctx, `SELECT jwk FROM service_key
		WHERE service = $1 AND approved_ms IS NOT NULL AND (expires_ms IS NULL OR expires_ms > $2) ORDER BY id`,
		service, db.Millis(a.options.Clock()))
	if err != nil {
		return nil, fmt.Errorf("list the keys of service %q: %w", service, err)
	}
	defer rows.Close()
	keys := []json.RawMessage{}
	for rows.Next() {
		var jwk string
		if err := rows.Scan(&jwk); err != nil {
			return nil, fmt.Errorf("list the keys of service %q: %w", service, err)
		}
		keys = append(keys, json.RawMessage(jwk))
	}
	return keys, rows.Err()
}

// Key gives one public key: NotFound when the service has none of that id, Conflict when it is not approved yet,
// Forbidden when it has expired.
func (a *Authority) Key(ctx context.Context, service, kid string) (PublicKey, error) {
	if !storable(service + kid) {
		return PublicKey{}, unknownKey()
	}
	var jwk string
	var approved, expires sql.NullInt64
	err := a.read.QueryRow(ctx, `SELECT k.jwk, k.approved_ms, k.expires_ms FROM service_key k
		WHERE `+notStale+` AND k.kid = $2 AND k.service = $3`, a.staleBefore(), kid, service).
		Scan(&jwk, &approved, &expires)
	if errors.Is(err, db.ErrNoRows) {
		return PublicKey{}, unknownKey()
	}
	if err != nil {
		return PublicKey{}, fmt.Errorf("look up a key of service %q: %w", service, err)
	}
	k := PublicKey{JWK: json.RawMessage(jwk)}
	if expires.Valid {
		k.Expires = db.Time(expires.Int64)
	}
	switch {
	case !approved.Valid:
		return PublicKey{}, problem.New(problem.Conflict, "The key is not approved")
	case expires.Valid && !a.options.Clock().Before(k.Expires):
		return PublicKey{}, problem.New(problem.Forbidden, "The key has expired")
	}
	return k, nil
}

func unknownKey() error { return problem.New(problem.NotFound, "The service has no key with this id") }

// storable reports whether both databases take a text: PostgreSQL keeps neither NUL nor what is no UTF-8.
func storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }
