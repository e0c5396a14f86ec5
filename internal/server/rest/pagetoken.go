package rest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"
)

// pageTokenLife is how long a next_page value is accepted.
const pageTokenLife = 48 * time.Hour

// pageTokens makes and reads next_page values. A token is sealed with AES-256-GCM and bound to its operation, so that
// a client can neither read the position nor forge one nor use it for another list.
type pageTokens struct {
	aead  cipher.AEAD
	clock func() time.Time
}

type pageToken struct {
	Expires int64           `json:"e"` // Unix seconds
	After   json.RawMessage `json:"a"`
}

func newPageTokens(secret []byte, clock func() time.Time) (*pageTokens, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "longshore api page token", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &pageTokens{aead: aead, clock: clock}, nil
}

// encode makes the token for a position in an operation's list.
func (p *pageTokens) encode(operation string, after any) (string, error) {
	position, err := json.Marshal(after)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(pageToken{p.clock().Add(pageTokenLife).Unix(), position})
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(p.aead.Seal(nil, nil, plain, []byte(operation))), nil
}

// decode reads a token into after. A token that is forged, of another list or too old is an invalid request.
func (p *pageTokens) decode(operation, token string, after any) error {
	refusal := invalidRequest("next_page: the value is not one this list gave, or older than two days; start again without it")
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return refusal
	}
	plain, err := p.aead.Open(nil, nil, sealed, []byte(operation))
	if err != nil {
		return refusal
	}
	var t pageToken
	if json.Unmarshal(plain, &t) != nil || p.clock().Unix() > t.Expires || json.Unmarshal(t.After, after) != nil {
		return refusal
	}
	return nil
}
