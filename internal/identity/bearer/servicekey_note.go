package bearer

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/db"
)

// noteKind is the kind of the note that a superuser gets about a key that waits for approval (rest-api §3.3).
const noteKind = "service_key_submitted"

// notePath is what the notes about a key begin their lookup_path with. An id of a key holds no slash.
func notePath(kid string) string { return "/service_key_approval/" + kid + "/" }

// notifyTx leaves each superuser a note about a key that waits.
func (a *Authority) notifyTx(ctx context.Context, tx db.Tx, k ServiceKey, superusers []string) error {
	about := map[string]any{
		"kid": k.KID, "name": k.Name, "service": k.Service, "jwk": k.JWK, "metadata": k.Metadata, "created_date": seconds(k.Created),
	}
	if !k.Expires.IsZero() {
		about["expiration_date"] = seconds(k.Expires)
	}
	text, err := json.Marshal(about)
	if err != nil {
		return fmt.Errorf("describe a service key: %w", err)
	}
	for _, name := range superusers {
		_, err := tx.Exec(ctx, `INSERT INTO notification (uuid, kind, account_id, metadata, lookup_path, created_ms)
			SELECT $1, $2, id, $3, $4, $5 FROM account WHERE name = $6 AND kind = 1 AND deleted_ms IS NULL`,
			uuid.NewString(), noteKind, string(text), notePath(k.KID)+name, db.Millis(k.Created), name)
		if err != nil {
			return fmt.Errorf("tell %s of a service key: %w", name, err)
		}
	}
	return nil
}

// withdrawNotesTx removes the notes about a key that waits no more.
func withdrawNotesTx(ctx context.Context, tx db.Tx, kid string) error {
	from := notePath(kid)
	_, err := tx.Exec(ctx, `DELETE FROM notification WHERE lookup_path >= $1 AND lookup_path < $2`, from, from[:len(from)-1]+"0")
	if err != nil {
		return fmt.Errorf("withdraw the notes about a service key: %w", err)
	}
	return nil
}
