package quaycrypt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// Passwords makes and opens encrypted passwords: what a user pastes into a client in place of the password. One is the
// Base64 of IV and AES-256-CBC cipher text of {"password": …}. Nothing is stored; keeping SECRET_KEY keeps them valid.
//
// The format has no authentication tag. That is harmless here, since what is opened is then checked like any password,
// and an answer does not tell a cipher text that did not open from a wrong password.
type Passwords struct {
	block cipher.Block
}

type passwordEnvelope struct {
	Password *string `json:"password"`
}

// NewPasswords makes the cipher of a SECRET_KEY.
func NewPasswords(secret string) (*Passwords, error) {
	key, err := Key(secret)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("password cipher: %w", err)
	}
	return &Passwords{block: block}, nil
}

// Encrypt gives an encrypted password. Each call gives another one.
func (p *Passwords) Encrypt(password string) (string, error) {
	text, err := json.Marshal(passwordEnvelope{&password})
	if err != nil {
		return "", fmt.Errorf("encrypt a password: %w", err)
	}
	text = pad(text)
	out := make([]byte, aes.BlockSize+len(text))
	rand.Read(out[:aes.BlockSize])
	cipher.NewCBCEncrypter(p.block, out[:aes.BlockSize]).CryptBlocks(out[aes.BlockSize:], text)
	return base64.StdEncoding.EncodeToString(out), nil
}

// Decrypt gives the password of an encrypted one; ok is false for anything else, a plain password above all.
func (p *Passwords) Decrypt(encrypted string) (password string, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil || len(raw) < 2*aes.BlockSize || len(raw)%aes.BlockSize != 0 {
		return "", false
	}
	text := raw[aes.BlockSize:]
	cipher.NewCBCDecrypter(p.block, raw[:aes.BlockSize]).CryptBlocks(text, text)
	text, ok = unpad(text)
	if !ok {
		return "", false
	}
	var e passwordEnvelope
	if json.Unmarshal(text, &e) != nil || e.Password == nil {
		return "", false
	}
	return *e.Password, true
}

// String hides the key from logs.
func (p *Passwords) String() string { return "[redacted]" }

// pad appends PKCS #7 padding.
func pad(text []byte) []byte {
	n := aes.BlockSize - len(text)%aes.BlockSize
	for range n {
		text = append(text, byte(n))
	}
	return text
}

func unpad(text []byte) ([]byte, bool) {
	n := int(text[len(text)-1])
	if n == 0 || n > aes.BlockSize {
		return nil, false
	}
	for _, b := range text[len(text)-n:] {
		if int(b) != n {
			return nil, false
		}
	}
	return text[:len(text)-n], true
}
