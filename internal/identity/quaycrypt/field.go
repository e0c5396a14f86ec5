package quaycrypt

import (
	"crypto/aes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pion/dtls/v3/pkg/crypto/ccm"
)

const (
	fieldVersion  = "v0"
	fieldMark     = "$$"
	nonceSize     = 13
	tagSize       = 16
	maxFieldBytes = 65535 // a 13 byte nonce leaves two bytes for the length
)

// ErrField is what a field gives that was not encrypted with this key, or not at all. It does not hold the field.
var ErrField = errors.New("not a field encrypted with this DATABASE_SECRET_KEY")

// Fields encrypts and decrypts database fields: "v0$$" and the Base64 of nonce, AES-256-CCM cipher text and tag.
type Fields struct {
	aead ccm.CCM
}

// NewFields makes the cipher of a DATABASE_SECRET_KEY.
func NewFields(secret string) (*Fields, error) {
	key, err := Key(secret)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("field cipher: %w", err)
	}
	aead, err := ccm.NewCCM(block, tagSize, nonceSize)
	if err != nil {
		return nil, fmt.Errorf("field cipher: %w", err)
	}
	return &Fields{aead: aead}, nil
}

// Encrypt gives the stored form of text, which is UTF-8 of at most 65,535 bytes. Each call gives another one.
func (f *Fields) Encrypt(text string) (string, error) {
	if len(text) > maxFieldBytes || !utf8.ValidString(text) {
		return "", fmt.Errorf("a field to encrypt has %d bytes or is no UTF-8; at most %d bytes of UTF-8 are allowed", len(text), maxFieldBytes)
	}
	sealed := make([]byte, nonceSize, nonceSize+len(text)+tagSize)
	rand.Read(sealed)
	sealed = f.aead.Seal(sealed, sealed[:nonceSize], []byte(text), nil)
	return fieldVersion + fieldMark + base64.StdEncoding.EncodeToString(sealed), nil
}

// Decrypt gives the text of a stored form, or ErrField.
func (f *Fields) Decrypt(stored string) (string, error) {
	version, payload, ok := strings.Cut(stored, fieldMark)
	if !ok || version != fieldVersion {
		return "", ErrField
	}
	sealed, err := base64.StdEncoding.DecodeString(payload)
	if err != nil || len(sealed) < nonceSize+tagSize || len(sealed) > nonceSize+maxFieldBytes+tagSize {
		return "", ErrField
	}
	text, err := f.aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], nil)
	if err != nil || !utf8.Valid(text) {
		return "", ErrField
	}
	return string(text), nil
}

// String hides the key from logs.
func (f *Fields) String() string { return "[redacted]" }
