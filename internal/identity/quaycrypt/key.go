// Package quaycrypt reads and writes the two ciphers of a Quay database: encrypted fields and encrypted passwords.
//
// Both are byte for byte Quay's, so that a registry which is taken over keeps its robots' and applications' tokens,
// and a way back to Quay stays open. Keys come from the configuration's DATABASE_SECRET_KEY (fields) and SECRET_KEY
// (passwords) by the same three rules.
package quaycrypt

import (
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"unicode"
)

// keySize is the size of an AES-256 key.
const keySize = 32

// ErrKey is what a secret gives that no rule makes a key of. It does not hold the secret.
var ErrKey = errors.New("the key is empty or holds a character above U+00FF")

// Key derives the 32 bytes of a key from a configured secret. The first rule that applies decides:
//
//  1. A decimal integer, as Python reads one: its hexadecimal digits as bytes. An odd number of digits or a negative
//     number makes the rule fail.
//  2. A UUID in any of its spellings, which 32 hexadecimal digits are too: its 16 bytes.
//  3. Anything else: one byte for each character, which must lie below U+0100.
//
// The bytes are repeated, or cut, to 32. Nothing is hashed or salted: that is the format.
func Key(secret string) ([]byte, error) {
	seed, ok := fromInteger(secret)
	if !ok {
		seed, ok = fromUUID(secret)
	}
	if !ok {
		seed, ok = fromCharacters(secret)
	}
	if !ok {
		return nil, ErrKey
	}
	key := make([]byte, keySize)
	for i := range key {
		key[i] = seed[i%len(seed)]
	}
	return key, nil
}

func fromInteger(secret string) ([]byte, bool) {
	n, ok := pythonInt(secret, 10)
	if !ok || n.Sign() < 0 {
		return nil, false
	}
	digits := n.Text(16)
	if len(digits) == 1 {
		digits = "0" + digits
	}
	seed, err := hex.DecodeString(digits)
	return seed, err == nil
}

func fromUUID(secret string) ([]byte, bool) {
	s := strings.ReplaceAll(strings.ReplaceAll(secret, "urn:", ""), "uuid:", "")
	s = strings.ReplaceAll(strings.Trim(s, "{}"), "-", "")
	if len(s) != 32 {
		return nil, false
	}
	n, ok := pythonInt(s, 16)
	if !ok || n.Sign() < 0 {
		return nil, false
	}
	return n.FillBytes(make([]byte, 16)), true
}

func fromCharacters(secret string) ([]byte, bool) {
	var seed []byte
	for _, r := range secret {
		if r > 0xff {
			return nil, false
		}
		seed = append(seed, byte(r))
	}
	return seed, len(seed) > 0
}

// pythonInt reads s as Python's int(s, base) does: blanks around it, a sign, for base 16 a prefix 0x, and single
// underscores between digits.
func pythonInt(s string, base int) (*big.Int, bool) {
	s = strings.TrimFunc(s, pythonSpace)
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	if base == 16 && len(s) > 2 && (s[:2] == "0x" || s[:2] == "0X") {
		s = strings.TrimPrefix(s[2:], "_")
	}
	if !plainDigits(s) {
		return nil, false
	}
	n, ok := new(big.Int).SetString(strings.ReplaceAll(s, "_", ""), base)
	if ok && negative {
		n.Neg(n)
	}
	return n, ok
}

// plainDigits refuses what big.Int would take but Python would not, and the reverse.
func plainDigits(s string) bool {
	return s != "" && s[0] != '-' && s[0] != '+' && s[0] != '_' && s[len(s)-1] != '_' && !strings.Contains(s, "__")
}

func pythonSpace(r rune) bool {
	return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f
}
