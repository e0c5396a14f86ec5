// Package secret has the type of values that must not be seen: keys, passwords, connection strings.
//
// A String prints, logs and marshals as [redacted] wherever it stands, also inside structures and unexported fields.
// Only Reveal gives the value; a reader finds every use of a secret by looking for its callers.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what stands in place of a secret.
const Redacted = "[redacted]"

// String is a secret text. The zero String is empty and unset.
type String struct {
	value *string // a pointer, because fmt prints the fields of unexported fields without asking their methods
}

// New makes a secret of a text. The empty text gives the zero String.
func New(text string) String {
	if text == "" {
		return String{}
	}
	return String{value: &text}
}

// Reveal is the secret itself, for the one place that needs it.
func (s String) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsSet reports whether there is a secret.
func (s String) IsSet() bool { return s.value != nil }

// Equal compares in constant time; only whether the lengths differ can be learned from it.
func (s String) Equal(other String) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String is Redacted, and empty when there is no secret.
func (s String) String() string {
	if s.value == nil {
		return ""
	}
	return Redacted
}

// Format prints String whatever the verb, so that %x and %#v show nothing either.
func (s String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText gives String to encoders of JSON, YAML and the like.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue gives String to log/slog.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }
