package bearer

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/secret"
)

// Limits of what is said about a service key, in bytes.
const (
	maxServiceName = 255
	maxKeyText     = 4096
)

// NewServiceKey is a key that a superuser has the registry make.
type NewServiceKey struct {
	Service  string
	Name     string
	Metadata map[string]any
	Expires  time.Time // zero for never
	Notes    string
	Creator  identity.Account
}

// KeyPair is a new key. The registry does not keep the private half.
type KeyPair struct {
	ServiceKey
	Public  string // PEM
	Private secret.String
}

// CreateServiceKey makes a key pair for a service and approves it. The pair is RSA of 2,048 bits: what services sign
// with it is RS256.
func (a *Authority) CreateServiceKey(ctx context.Context, n NewServiceKey) (KeyPair, error) {
	metadata, err := a.checkServiceKey(n.Service, n.Name, n.Metadata, n.Expires)
	if err != nil {
		return KeyPair{}, err
	}
	if len(n.Notes) > maxKeyText {
		return KeyPair{}, problem.New(problem.Invalid, "notes: %d bytes, allowed are %d", len(n.Notes), maxKeyText)
	}
	pair, err := newServicePair()
	if err != nil {
		return KeyPair{}, err
	}
	pair.Service, pair.Name, pair.Metadata, pair.Expires = n.Service, n.Name, metadata, n.Expires
	err = a.db.Hard(ctx, "create a service key", func(ctx context.Context, tx db.Tx) error {
		pair.Created = a.options.Clock()
		if _, err := a.insertKeyTx(ctx, tx, pair.ServiceKey); err != nil {
			return err
		}
		logged := map[string]any{"kid": pair.KID, "preshared": true, "service": n.Service, "name": n.Name, "expiration_date": seconds(n.Expires), "auto_approved": true}
		if err := a.audit.Change(ctx, tx, "service_key_create", 0, 0, logged); err != nil {
			return err
		}
		return a.approveTx(ctx, tx, pair.ServiceKey, approvedBySuperuser, n.Creator.ID, n.Notes)
	})
	return pair, err
}

// newServicePair makes a pair whose id is the thumbprint of its public half.
func newServicePair() (KeyPair, error) {
	const bits = 2048
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return KeyPair{}, fmt.Errorf("make a service key: %w", err)
	}
	public := jose.JSONWebKey{Key: private.Public()}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return KeyPair{}, fmt.Errorf("make a service key: %w", err)
	}
	public.KeyID = hex.EncodeToString(thumbprint)
	jwk, err := json.Marshal(public)
	if err != nil {
		return KeyPair{}, fmt.Errorf("make a service key: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return KeyPair{}, fmt.Errorf("make a service key: %w", err)
	}
	return KeyPair{
		ServiceKey: ServiceKey{KID: public.KeyID, JWK: jwk},
		Public:     string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		Private:    secret.New(string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}))),
	}, nil
}

// checkServiceKey refuses what may not be said about a key, and gives its metadata as they are stored.
func (a *Authority) checkServiceKey(service, name string, metadata map[string]any, expires time.Time) (json.RawMessage, error) {
	switch {
	case service == "" || len(service) > maxServiceName || !storable(service) || strings.ContainsRune(service, '/'):
		return nil, problem.New(problem.Invalid, "service: 1 to %d bytes without a slash are allowed", maxServiceName)
	case len(name) > maxServiceName || !regexp.MustCompile(`^[\sa-zA-Z0-9\-_:/]*$`).MatchString(name):
		return nil, problem.New(problem.Invalid, "name: at most %d letters, digits, blanks and - _ : / are allowed", maxServiceName)
	case !expires.IsZero() && !expires.After(a.options.Clock()):
		return nil, problem.New(problem.Invalid, "expiration: Cannot have an expiration date in the past")
	}
	if metadata == nil {
		return json.RawMessage(`{}`), nil
	}
	text, err := json.Marshal(metadata)
	if err != nil || len(text) > maxKeyText {
		return nil, problem.New(problem.Invalid, "metadata: an object of at most %d bytes is allowed", maxKeyText)
	}
	return text, nil
}

// insertKeyTx adds a key that is not approved; false when there is one of its id.
func (a *Authority) insertKeyTx(ctx context.Context, tx db.Tx, k ServiceKey) (bool, error) {
	var rotation any
	if k.Rotation > 0 {
		rotation = int64(k.Rotation / time.Second)
	}
	n, err := tx.Exec(ctx, `INSERT INTO service_key (kid, service, name, jwk, metadata, created_ms, expires_ms, rotation_s)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (kid) DO NOTHING`,
		k.KID, k.Service, k.Name, string(k.JWK), string(k.Metadata), db.Millis(k.Created), nullMillis(k.Expires), rotation)
	if err != nil {
		return false, fmt.Errorf("store a service key: %w", err)
	}
	return n == 1, nil
}

// ServiceKeyChange is what may be changed of a key; nil leaves as it is.
type ServiceKeyChange struct {
	Name     *string
	Metadata map[string]any // replaces; nil leaves
	Expires  *time.Time     // to the zero time for never
}

// UpdateServiceKey changes a key, or is NotFound.
func (a *Authority) UpdateServiceKey(ctx context.Context, kid string, change ServiceKeyChange) (ServiceKey, error) {
	var k ServiceKey
	err := a.changeKey(ctx, "change a service key", kid, func(ctx context.Context, tx db.Tx, old ServiceKey) error {
		k = old
		if change.Name != nil {
			k.Name = *change.Name
		}
		expires := time.Time{}
		if change.Expires != nil {
			expires = *change.Expires
			k.Expires = expires
		}
		metadata, err := a.checkServiceKey(k.Service, k.Name, change.Metadata, expires)
		if err != nil {
			return err
		}
		if change.Metadata != nil {
			k.Metadata = metadata
		}
		_, err = tx.Exec(ctx, `UPDATE service_key SET name = $1, metadata = $2, expires_ms = $3 WHERE kid = $4`,
			k.Name, string(k.Metadata), nullMillis(k.Expires), kid)
		if err != nil {
			return fmt.Errorf("change a service key: %w", err)
		}
		return a.logChangeTx(ctx, tx, old, k, change)
	})
	return k, err
}

func (a *Authority) logChangeTx(ctx context.Context, tx db.Tx, old, k ServiceKey, change ServiceKeyChange) error {
	logged := map[string]any{"kid": k.KID, "service": k.Service, "name": k.Name, "expiration_date": seconds(k.Expires)}
	if change.Name != nil || change.Metadata != nil {
		if err := a.audit.Change(ctx, tx, "service_key_modify", 0, 0, logged); err != nil {
			return err
		}
	}
	if change.Expires == nil {
		return nil
	}
	logged["old_expiration_date"] = seconds(old.Expires)
	return a.audit.Change(ctx, tx, "service_key_extend", 0, 0, logged)
}

// DeleteServiceKey removes a key, or is NotFound. What it has signed counts no more.
func (a *Authority) DeleteServiceKey(ctx context.Context, kid string) error {
	return a.changeKey(ctx, "delete a service key", kid, func(ctx context.Context, tx db.Tx, k ServiceKey) error {
		if err := a.deleteKeyTx(ctx, tx, k); err != nil {
			return err
		}
		return a.audit.Change(ctx, tx, "service_key_delete", 0, 0, map[string]any{
			"kid": k.KID, "service": k.Service, "name": k.Name, "created_date": seconds(k.Created), "expiration_date": seconds(k.Expires),
		})
	})
}

func (a *Authority) deleteKeyTx(ctx context.Context, tx db.Tx, k ServiceKey) error {
	if _, err := tx.Exec(ctx, `DELETE FROM service_key WHERE kid = $1`, k.KID); err != nil {
		return fmt.Errorf("delete a service key: %w", err)
	}
	return withdrawNotesTx(ctx, tx, k.KID)
}

// ApproveServiceKey lets a key count from now on, or is NotFound. A key that is approved already stays as it is.
func (a *Authority) ApproveServiceKey(ctx context.Context, kid string, approver identity.Account, notes string) error {
	if len(notes) > maxKeyText {
		return problem.New(problem.Invalid, "notes: %d bytes, allowed are %d", len(notes), maxKeyText)
	}
	return a.changeKey(ctx, "approve a service key", kid, func(ctx context.Context, tx db.Tx, k ServiceKey) error {
		if k.Approval != nil {
			return nil
		}
		return a.approveTx(ctx, tx, k, approvedBySuperuser, approver.ID, notes)
	})
}

// approveTx makes a key count; approver 0 is the registry itself.
func (a *Authority) approveTx(ctx context.Context, tx db.Tx, k ServiceKey, kind string, approver int64, notes string) error {
	var who any
	if approver != 0 {
		who = approver
	}
	_, err := tx.Exec(ctx, `UPDATE service_key SET approval_type = $1, approved_ms = $2, approver_id = $3, approval_notes = $4 WHERE kid = $5`,
		kind, db.Millis(a.options.Clock()), who, notes, k.KID)
	if err != nil {
		return fmt.Errorf("approve a service key: %w", err)
	}
	if err := withdrawNotesTx(ctx, tx, k.KID); err != nil || kind != approvedBySuperuser {
		return err
	}
	return a.audit.Change(ctx, tx, "service_key_approve", 0, 0, map[string]any{
		"kid": k.KID, "service": k.Service, "name": k.Name, "expiration_date": seconds(k.Expires),
	})
}

// changeKey runs a change of one key, which it locks first. When it was the registry's own, what this process
// remembers of its keys is forgotten, and a key that it signs with is replaced.
func (a *Authority) changeKey(ctx context.Context, what, kid string, change func(context.Context, db.Tx, ServiceKey) error) error {
	return a.db.Hard(ctx, what, func(ctx context.Context, tx db.Tx) error {
		k, err := a.serviceKey(ctx, tx, kid, tx.ForUpdate())
		if err != nil {
			return err
		}
		if k.Service == a.options.Service {
			tx.AfterCommit(func() {
				a.keys.Drop()
				a.forgetSigner(kid)
			})
		}
		return change(ctx, tx, k)
	})
}

// forgetSigner stops signing with a key; Run gets another one.
func (a *Authority) forgetSigner(kid string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.next != nil && a.next.kid == kid {
		a.next = nil
	}
	if a.current == nil || a.current.kid != kid {
		return
	}
	a.current = nil
	select {
	case a.spent <- struct{}{}:
	default:
	}
}
