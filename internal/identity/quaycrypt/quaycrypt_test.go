package quaycrypt

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

func TestKeyFollowsTheThreeRules(t *testing.T) {
	for _, v := range keyVectors() {
		t.Run(v.secret, func(t *testing.T) {
			key, err := Key(v.secret)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(key); got != v.key {
				t.Errorf("key %s, want %s", got, v.key)
			}
		})
	}
}

func TestKeyRefusesWhatNoRuleReads(t *testing.T) {
	for _, secret := range []string{"", "\u2713 tick", "{}\u0100"} {
		if _, err := Key(secret); err == nil {
			t.Errorf("%q made a key", secret)
		}
	}
}

func TestFieldsOfQuayAreRead(t *testing.T) {
	for _, v := range fieldVectors() {
		t.Run(v.secret, func(t *testing.T) {
			f := newFields(t, v.secret)
			if got, err := f.Decrypt(v.stored); err != nil || got != v.text {
				t.Errorf("decrypted to %q, %v; want %q", got, err, v.text)
			}
		})
	}
}

func TestFieldsComeBack(t *testing.T) {
	f := newFields(t, "54321")
	for _, text := range []string{"", "a", strings.Repeat("ü", 1000), strings.Repeat("x", maxFieldBytes)} {
		stored, err := f.Encrypt(text)
		if err != nil {
			t.Fatal(err)
		}
		again, err := f.Encrypt(text)
		if err != nil || again == stored {
			t.Errorf("two encryptions of %d bytes are equal (%v)", len(text), err)
		}
		if got, err := f.Decrypt(stored); err != nil || got != text {
			t.Errorf("%d bytes did not come back: %v", len(text), err)
		}
	}
}

func TestFieldsRefuseWhatTheyCannotHold(t *testing.T) {
	f := newFields(t, "54321")
	for _, text := range []string{strings.Repeat("x", maxFieldBytes+1), "\xff"} {
		if _, err := f.Encrypt(text); err == nil {
			t.Errorf("%d bytes were encrypted", len(text))
		}
	}
}

func TestFieldsRefuseForeignAndAlteredText(t *testing.T) {
	f := newFields(t, "54321")
	stored, err := f.Encrypt("secret")
	if err != nil {
		t.Fatal(err)
	}
	flipped := []byte(stored)
	flipped[10] ^= 1
	bad := []string{"", "secret", "v0$$", "v1" + stored[2:], "v0$$!!!!", stored[:len(stored)-8], string(flipped), "v0$$AAAA"}
	for _, text := range bad {
		if got, err := f.Decrypt(text); err == nil {
			t.Errorf("%q decrypted to %q", text, got)
		}
	}
	if _, err := newFields(t, "54322").Decrypt(stored); err == nil {
		t.Error("another key decrypted the field")
	}
}

func TestPasswordsOfQuayAreRead(t *testing.T) {
	for _, v := range passwordVectors() {
		t.Run(v.secret, func(t *testing.T) {
			p := newPasswords(t, v.secret)
			if got, ok := p.Decrypt(v.stored); !ok || got != v.text {
				t.Errorf("decrypted to %q, %v; want %q", got, ok, v.text)
			}
		})
	}
}

func TestPasswordsComeBack(t *testing.T) {
	p := newPasswords(t, "some secret")
	for n := range 70 {
		want := strings.Repeat("ä", n)
		stored, err := p.Encrypt(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := p.Decrypt(stored); !ok || got != want {
			t.Errorf("%d characters came back as %q, %v", n, got, ok)
		}
	}
}

func TestPlainPasswordsAreNotTakenForEncryptedOnes(t *testing.T) {
	p := newPasswords(t, "some secret")
	other, err := newPasswords(t, "another").Encrypt("x")
	if err != nil {
		t.Fatal(err)
	}
	for _, plain := range []string{"", "hunter2hunter2", "AAAA", strings.Repeat("A", 64), strings.Repeat("QUJD", 64), other} {
		if got, ok := p.Decrypt(plain); ok {
			t.Errorf("%q was decrypted to %q", plain, got)
		}
	}
}

func TestCiphersDoNotPrintTheirKeys(t *testing.T) {
	if got := fmt.Sprintf("%v %+v %s", newFields(t, "54321"), newPasswords(t, "54321"), newFields(t, "54321")); got != "[redacted] [redacted] [redacted]" {
		t.Errorf("printed %q", got)
	}
}

func FuzzDecrypt(f *testing.F) {
	for _, v := range fieldVectors() {
		f.Add(v.stored)
	}
	for _, v := range passwordVectors() {
		f.Add(v.stored)
	}
	f.Fuzz(func(t *testing.T, stored string) {
		fields, passwords := newFields(t, "54321"), newPasswords(t, "54321")
		if text, err := fields.Decrypt(stored); err != nil && text != "" {
			t.Errorf("an error came with text %q", text)
		}
		if text, ok := passwords.Decrypt(stored); !ok && text != "" {
			t.Errorf("a refusal came with text %q", text)
		}
	})
}

func newFields(t *testing.T, secret string) *Fields {
	t.Helper()
	f, err := NewFields(secret)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func newPasswords(t *testing.T, secret string) *Passwords {
	t.Helper()
	p, err := NewPasswords(secret)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
