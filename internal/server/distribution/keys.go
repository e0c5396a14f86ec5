package distribution

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/longshore-registry/longshore/internal/identity/bearer"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/server/intake"
)

const (
	// keyMaxAge is the longest time that a public key may be cached.
	keyMaxAge = 24 * time.Hour
	// maxKeyBytes is the limit of a key that a service brings.
	maxKeyBytes = 16 << 10
)

// listKeys answers GET /keys/services/{service}/keys: the approved public keys of a service that have not expired.
func (q *request) listKeys() error {
	keys, err := q.options.Tokens.Keys(q.r.Context(), q.target.service)
	if err != nil {
		return err
	}
	q.json(http.StatusOK, map[string][]json.RawMessage{"keys": keys})
	return nil
}

// getKey answers GET /keys/services/{service}/keys/{kid}.
func (q *request) getKey() error {
	key, err := q.options.Tokens.Key(q.r.Context(), q.target.service, q.target.reference)
	if err != nil {
		return err
	}
	age := keyMaxAge
	if !key.Expires.IsZero() {
		age = min(age, key.Expires.Sub(q.options.Clock()))
	}
	q.w.Header().Set("Cache-Control", fmt.Sprintf("max-age=%d", int(max(age, 0).Seconds())))
	q.json(http.StatusOK, key.JWK)
	return nil
}

// putKey answers PUT /keys/services/{service}/keys/{kid}: 202 when the key waits for approval, 200 when it follows on an
// approved one.
func (q *request) putKey() error {
	ctx := q.r.Context()
	offer, err := q.offer()
	if err != nil {
		return err
	}
	if err := q.readTimes(&offer); err != nil {
		return err
	}
	offer.JWK, err = q.rec.Intake.Read(ctx, q.r.Body, intake.Body{Name: "key", Announced: q.r.ContentLength, Limit: maxKeyBytes})
	if err != nil {
		return err
	}
	outcome, err := q.options.Tokens.OfferKey(ctx, offer)
	if err != nil {
		return err
	}
	if outcome == bearer.Waiting {
		q.empty(http.StatusAccepted)
		return nil
	}
	q.empty(http.StatusOK)
	return nil
}

// deleteKey answers DELETE /keys/services/{service}/keys/{kid}.
func (q *request) deleteKey() error {
	ctx := q.r.Context()
	offer, err := q.offer()
	if err != nil {
		return err
	}
	if err := q.options.Tokens.WithdrawKey(ctx, offer); err != nil {
		return err
	}
	q.empty(http.StatusNoContent)
	return nil
}

// offer is what path and headers say about a change of keys. The JWT is looked at by package bearer alone: it is signed
// by the service, and no token of this registry.
func (q *request) offer() (bearer.Offer, error) {
	if q.policy.RegistryReadOnly {
		return bearer.Offer{}, problem.New(problem.ReadOnly, "System is currently read-only. Keys can be read but not changed.")
	}
	scheme, pass, _ := strings.Cut(q.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		pass = ""
	}
	return bearer.Offer{
		Service: q.target.service, KID: q.target.reference, Pass: strings.TrimSpace(pass), Audience: q.rec.URL(""),
		IP: q.rec.ClientIP, Agent: clip(q.r.UserAgent()),
	}, nil
}

// readTimes reads expiration (Unix seconds) and rotation (seconds) from the query.
func (q *request) readTimes(o *bearer.Offer) error {
	query := q.r.URL.Query()
	if text := query.Get("expiration"); text != "" {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(seconds) || seconds < 0 || seconds > 1<<38 {
			return problem.New(problem.Invalid, "expiration: found %s, allowed is a time in Unix seconds", clip(text))
		}
		o.Expires = time.Unix(int64(seconds), 0).UTC()
	}
	if text := query.Get("rotation"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 32)
		if err != nil || seconds < 0 {
			return problem.New(problem.Invalid, "rotation: found %s, allowed is a number of seconds", clip(text))
		}
		o.Rotation = time.Duration(seconds) * time.Second
	}
	return nil
}
