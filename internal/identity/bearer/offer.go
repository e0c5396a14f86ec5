package bearer

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"net/netip"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

const (
	// maxWaiting is how many keys may wait for approval: whoever reaches the registry may offer one.
	maxWaiting = 1000
	minRSABits = 2048
	maxRSABits = 8192
	maxKeyID   = 255
	maxPass    = 24 * time.Hour // longest life of the token that a service shows
)

// Offer is a key that a service brings itself (rest-api §22, key server).
type Offer struct {
	Service  string
	KID      string
	JWK      []byte
	Expires  time.Time     // zero for never
	Rotation time.Duration // 0: an approved key lives to its own end although it has a successor
	Pass     string        // the JWT that it came with
	Audience string        // what the JWT must be for: scheme://host of the registry
	IP       netip.Addr
	Agent    string // User-Agent
}

// Outcome is what became of an offer.
type Outcome uint8

// The outcomes.
const (
	Waiting Outcome = iota + 1 // for a superuser's approval
	Rotated                    // approved at once, as the successor of the key that signed for it
)

// OfferKey takes a service's new key. One that signs for itself waits for approval, and superusers get a note; one that
// an approved key of the same service signs for is its successor, and the older one ends after its rotation time. It
// is Invalid when key or JWT cannot be read, Forbidden when the JWT is not right.
func (a *Authority) OfferKey(ctx context.Context, o Offer) (Outcome, error) {
	metadata, err := a.checkServiceKey(o.Service, "", map[string]any{"ip": o.IP.String()}, o.Expires)
	if err != nil {
		return 0, err
	}
	offered, err := readJWK(o.KID, o.JWK)
	if err != nil {
		return 0, err
	}
	signer, err := signerOf(o.Pass)
	if err != nil {
		return 0, err
	}
	jwk, err := json.Marshal(offered)
	if err != nil {
		return 0, problem.Wrap(err, problem.Invalid, "the key cannot be written")
	}
	k := ServiceKey{KID: o.KID, Service: o.Service, JWK: jwk, Metadata: metadata, Created: a.options.Clock(), Expires: o.Expires, Rotation: o.Rotation}
	if signer == "" || signer == o.KID {
		if err := a.checkPass(o.Pass, offered, o.Service, o.Audience); err != nil {
			return 0, err
		}
		return Waiting, a.submit(ctx, k, o)
	}
	return Rotated, a.rotate(ctx, k, o, signer)
}

// submit keeps a key until somebody approves it. The same key may be offered again; its id may not be another key's.
func (a *Authority) submit(ctx context.Context, k ServiceKey, o Offer) error {
	superusers, err := a.options.SuperUsers(ctx)
	if err != nil {
		return err
	}
	return a.db.Hard(ctx, "take a service key", func(ctx context.Context, tx db.Tx) error {
		if err := a.makeRoomTx(ctx, tx); err != nil {
			return err
		}
		added, err := a.insertKeyTx(ctx, tx, k)
		if err != nil {
			return err
		}
		if !added {
			return a.sameKeyTx(ctx, tx, k)
		}
		if err := a.notifyTx(ctx, tx, k, superusers); err != nil {
			return err
		}
		return a.audit.Change(ctx, tx, "service_key_create", 0, 0, map[string]any{
			"kid": k.KID, "preshared": false, "service": k.Service, "name": k.Name, "expiration_date": seconds(k.Expires),
			"user_agent": o.Agent, "ip": o.IP.String(),
		})
	})
}

// makeRoomTx removes what nobody approved in time and what expired long ago, and refuses when too much is left.
func (a *Authority) makeRoomTx(ctx context.Context, tx db.Tx) error {
	if err := tx.Lock(ctx, db.LockNamespace, keyLock, db.Exclusive); err != nil {
		return err
	}
	if err := a.removeStaleTx(ctx, tx, a.options.Clock()); err != nil {
		return err
	}
	var waiting int
	if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM service_key WHERE approved_ms IS NULL`).Scan(&waiting); err != nil {
		return err
	}
	if waiting >= maxWaiting {
		return problem.New(problem.TooMany, "%d keys wait for approval, which is as many as may: a superuser has to approve or delete some", waiting)
	}
	return nil
}

func (a *Authority) sameKeyTx(ctx context.Context, tx db.Tx, k ServiceKey) error {
	old, err := a.serviceKey(ctx, tx, k.KID, "")
	if err != nil {
		return err
	}
	if old.Service != k.Service || string(old.JWK) != string(k.JWK) {
		return problem.New(problem.Invalid, "kid: there is another key with this id; take the key's thumbprint (RFC 7638)")
	}
	return nil
}

// rotate makes a key the successor of the one that signed for it.
func (a *Authority) rotate(ctx context.Context, k ServiceKey, o Offer, signer string) error {
	return a.db.Hard(ctx, "rotate a service key", func(ctx context.Context, tx db.Tx) error {
		old, err := a.signerTx(ctx, tx, o.Service, signer)
		if err != nil {
			return err
		}
		if err := a.checkPassWith(o.Pass, old, o.Audience); err != nil {
			return err
		}
		k.Name = old.Name
		if k.Rotation == 0 {
			k.Rotation = old.Rotation
		}
		added, err := a.insertKeyTx(ctx, tx, k)
		if err != nil {
			return err
		}
		if !added {
			return problem.New(problem.Invalid, "kid: there is a key with this id already")
		}
		if err := a.approveTx(ctx, tx, k, approvedByRotation, 0, ""); err != nil {
			return err
		}
		if err := a.retireTx(ctx, tx, old); err != nil {
			return err
		}
		return a.audit.Change(ctx, tx, "service_key_rotate", 0, 0, map[string]any{
			"kid": k.KID, "signer_kid": signer, "service": k.Service, "name": k.Name, "expiration_date": seconds(k.Expires),
			"user_agent": o.Agent, "ip": o.IP.String(),
		})
	})
}

// retireTx lets a key that has a successor end after its rotation time, if it has one and does not end before.
func (a *Authority) retireTx(ctx context.Context, tx db.Tx, old ServiceKey) error {
	if old.Rotation == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `UPDATE service_key SET expires_ms = $1 WHERE kid = $2 AND (expires_ms IS NULL OR expires_ms > $1)`,
		db.Millis(a.options.Clock().Add(old.Rotation)), old.KID)
	return err
}

// WithdrawKey removes a key of a service, for itself or for an approved key of the same service. It is Forbidden for
// anybody else, and NotFound when the service has no such key.
func (a *Authority) WithdrawKey(ctx context.Context, o Offer) error {
	signer, err := signerOf(o.Pass)
	if err != nil {
		return err
	}
	if signer == "" {
		return problem.New(problem.Invalid, "the JWT has no kid")
	}
	return a.db.Hard(ctx, "withdraw a service key", func(ctx context.Context, tx db.Tx) error {
		var by ServiceKey
		if by, err = a.foreignKeyTx(ctx, tx, o.Service, signer); err != nil {
			return err
		}
		if signer != o.KID && !by.alive(a.options.Clock()) {
			return notTheSigner()
		}
		if err := a.checkPassWith(o.Pass, by, o.Audience); err != nil {
			return err
		}
		k, err := a.serviceKey(ctx, tx, o.KID, tx.ForUpdate())
		if err != nil || k.Service != o.Service {
			return unknownKey()
		}
		if err := a.deleteKeyTx(ctx, tx, k); err != nil {
			return err
		}
		return a.audit.Change(ctx, tx, "service_key_delete", 0, 0, map[string]any{
			"kid": k.KID, "signer_kid": signer, "service": k.Service, "name": k.Name, "user_agent": o.Agent, "ip": o.IP.String(),
		})
	})
}

// signerTx is an approved key of the service that is alive, or Forbidden.
func (a *Authority) signerTx(ctx context.Context, tx db.Tx, service, kid string) (ServiceKey, error) {
	k, err := a.foreignKeyTx(ctx, tx, service, kid)
	if err == nil && !k.alive(a.options.Clock()) {
		return ServiceKey{}, notTheSigner()
	}
	return k, err
}

// foreignKeyTx is a key that a service brought, or Forbidden. A key that this registry signs tokens with speaks for no
// service: with such a token, which any user has, anybody could.
func (a *Authority) foreignKeyTx(ctx context.Context, tx db.Tx, service, kid string) (ServiceKey, error) {
	k, err := a.serviceKey(ctx, tx, kid, tx.ForUpdate())
	if problem.Is(err, problem.NotFound) || err == nil && k.Service != service {
		return ServiceKey{}, notTheSigner()
	}
	if err != nil {
		return ServiceKey{}, err
	}
	var own bool
	if err := tx.QueryRow(ctx, `SELECT private_key IS NOT NULL FROM service_key WHERE kid = $1`, kid).Scan(&own); err != nil {
		return ServiceKey{}, err
	}
	if own {
		return ServiceKey{}, notTheSigner()
	}
	return k, nil
}

func notTheSigner() error {
	return problem.New(problem.Forbidden, "The JWT is not signed by the key itself or by an approved key of the service")
}

// readJWK reads a public key that may be registered under an id.
func readJWK(kid string, text []byte) (jose.JSONWebKey, error) {
	var jwk jose.JSONWebKey
	if kid == "" || len(kid) > maxKeyID || !storable(kid) || strings.ContainsRune(kid, '/') {
		return jwk, problem.New(problem.Invalid, "kid: 1 to %d bytes without a slash are allowed", maxKeyID)
	}
	if json.Unmarshal(text, &jwk) != nil || !jwk.Valid() || !jwk.IsPublic() {
		return jwk, problem.New(problem.Invalid, "the body is not the public half of a key as JWK (RFC 7517)")
	}
	if jwk.KeyID != "" && jwk.KeyID != kid {
		return jwk, problem.New(problem.Invalid, "kid: the key says %q, the path %q", jwk.KeyID, kid)
	}
	switch key := jwk.Key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return jwk, problem.New(problem.Invalid, "the key has %d bits, allowed are %d to %d", bits, minRSABits, maxRSABits)
		}
	case *ecdsa.PublicKey:
	default:
		return jwk, problem.New(problem.Invalid, "kty: only RSA and EC keys are taken")
	}
	return jose.JSONWebKey{Key: jwk.Key, KeyID: kid, Algorithm: jwk.Algorithm, Use: jwk.Use}, nil
}
