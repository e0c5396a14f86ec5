package identity

import (
	"crypto/rand"

	"github.com/google/uuid"
)

// Lengths of Quay's tokens, in characters.
const (
	robotTokenSize    = 64
	appTokenPart      = 60
	oauthTokenPart    = 20
	accessTokenPart   = 32
	applicationSecret = 40
)

const tokenAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// randomToken gives n characters A–Z and 0–9 with the same chance each: more than five bits a character.
func randomToken(n int) string {
	// Bytes from here on would favour the first letters.
	const fair = 256 - 256%len(tokenAlphabet)
	token := make([]byte, 0, n)
	for len(token) < n {
		raw := make([]byte, n)
		rand.Read(raw)
		for _, b := range raw {
			if int(b) < fair && len(token) < n {
				token = append(token, tokenAlphabet[int(b)%len(tokenAlphabet)])
			}
		}
	}
	return string(token)
}

// generatedPassword is the length of a password that is made here (rest-api §21).
const generatedPassword = 32

// NewPassword makes a password for somebody who did not choose one.
func NewPassword() string { return randomToken(generatedPassword) }

func newUUID() string { return uuid.NewString() }
