package distribution

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// keyMaxAge is the longest time that a public key may be cached.
const keyMaxAge = 24 * time.Hour

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
