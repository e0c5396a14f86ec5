// Package digest holds content digests in their binary form.
//
// A digest is an algorithm and a hash (OCI image-spec v1.1, descriptor.md, "Digests"). Text such as
// "sha256:<64 lower-case hex digits>" is parsed once at the border; inside, a Digest is comparable and can be a map
// key, and in the database it is one algorithm byte followed by the hash, half the size of the text.
package digest

import (
	"crypto/sha256"
	"crypto/sha512"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
)

// Algorithm identifies a registered hash. Its value is the first byte of the binary form and never changes.
type Algorithm byte

// The registered algorithms.
const (
	SHA256 Algorithm = 1
	SHA512 Algorithm = 2
)

// ParseAlgorithm reads a registered algorithm's name, "sha256" or "sha512".
func ParseAlgorithm(name string) (Algorithm, error) {
	switch name {
	case "sha256":
		return SHA256, nil
	case "sha512":
		return SHA512, nil
	}
	return 0, fmt.Errorf("digest algorithm %q is not supported: use sha256 or sha512", name)
}

// String gives the registered name.
func (a Algorithm) String() string {
	switch a {
	case SHA256:
		return "sha256"
	case SHA512:
		return "sha512"
	}
	return "unknown"
}

// Size is the length of a hash in bytes, 0 for an unknown algorithm.
func (a Algorithm) Size() int {
	switch a {
	case SHA256:
		return sha256.Size
	case SHA512:
		return sha512.Size
	}
	return 0
}

// New starts a hash. Both implementations are encoding.BinaryMarshaler and BinaryUnmarshaler, so that a hash can be
// continued by another process.
func (a Algorithm) New() hash.Hash {
	if a == SHA512 {
		return sha512.New()
	}
	return sha256.New()
}

// Digest is an algorithm and a hash. The zero Digest means "none" and is NULL in the database.
type Digest struct {
	alg Algorithm
	sum [sha512.Size]byte
}

// Of hashes content.
func (a Algorithm) Of(content []byte) Digest {
	d := Digest{alg: a}
	if a == SHA512 {
		d.sum = sha512.Sum512(content)
		return d
	}
	sum := sha256.Sum256(content)
	copy(d.sum[:], sum[:])
	return d
}

// Sum takes the result of a finished hash of this algorithm.
func (a Algorithm) Sum(h hash.Hash) Digest {
	d := Digest{alg: a}
	h.Sum(d.sum[:0])
	return d
}

// Parse reads the textual form: a supported algorithm, a colon, and exactly as many lower-case hex digits as it has.
func Parse(s string) (Digest, error) {
	name, encoded, found := strings.Cut(s, ":")
	if !found {
		return Digest{}, fmt.Errorf("digest %q has no algorithm: expected algorithm:hex", clip(s))
	}
	alg, err := ParseAlgorithm(name)
	if err != nil {
		return Digest{}, err
	}
	if len(encoded) != 2*alg.Size() {
		return Digest{}, fmt.Errorf("digest %q has %d digits: %s has %d", clip(s), len(encoded), alg, 2*alg.Size())
	}
	if strings.ToLower(encoded) != encoded {
		return Digest{}, fmt.Errorf("digest %q has upper-case digits: only lower case is allowed", clip(s))
	}
	d := Digest{alg: alg}
	if _, err := hex.Decode(d.sum[:], []byte(encoded)); err != nil {
		return Digest{}, fmt.Errorf("digest %q is not hexadecimal", clip(s))
	}
	return d, nil
}

// FromBytes reads the binary form.
func FromBytes(b []byte) (Digest, error) {
	if len(b) == 0 {
		return Digest{}, nil
	}
	alg := Algorithm(b[0])
	if alg.Size() == 0 || len(b) != 1+alg.Size() {
		return Digest{}, fmt.Errorf("stored digest of %d bytes with algorithm %d is damaged", len(b), b[0])
	}
	d := Digest{alg: alg}
	copy(d.sum[:], b[1:])
	return d, nil
}

// IsZero reports whether there is no digest.
func (d Digest) IsZero() bool { return d.alg == 0 }

// Algorithm gives the hash's algorithm, 0 for the zero Digest.
func (d Digest) Algorithm() Algorithm { return d.alg }

// Hex gives the hash in lower-case hex.
func (d Digest) Hex() string { return hex.EncodeToString(d.sum[:d.alg.Size()]) }

// String gives the textual form, empty for the zero Digest.
func (d Digest) String() string {
	if d.IsZero() {
		return ""
	}
	var space [80]byte // of the usual algorithm, at most
	return string(hex.AppendEncode(append(append(space[:0], d.alg.String()...), ':'), d.sum[:d.alg.Size()]))
}

// Bytes gives the binary form, nil for the zero Digest.
func (d Digest) Bytes() []byte {
	if d.IsZero() {
		return nil
	}
	return d.Append(nil)
}

// Append adds the binary form to b, nothing for the zero Digest.
func (d Digest) Append(b []byte) []byte {
	if d.IsZero() {
		return b
	}
	return append(append(b, byte(d.alg)), d.sum[:d.alg.Size()]...)
}

// Value stores the binary form (database/sql/driver.Valuer).
func (d Digest) Value() (driver.Value, error) {
	if d.IsZero() {
		return nil, nil
	}
	return d.Bytes(), nil
}

// Scan reads the binary form (database/sql.Scanner).
func (d *Digest) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*d = Digest{}
		return nil
	case []byte:
		parsed, err := FromBytes(v)
		*d = parsed
		return err
	}
	return fmt.Errorf("stored digest has type %T", src)
}

// MarshalText writes the textual form.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the textual form.
func (d *Digest) UnmarshalText(b []byte) error {
	parsed, err := Parse(string(b))
	*d = parsed
	return err
}

// clip keeps hostile input out of messages and logs.
func clip(s string) string {
	if len(s) > 160 {
		return s[:160] + "…"
	}
	return s
}
