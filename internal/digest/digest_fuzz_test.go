package digest

import (
	"regexp"
	"strings"
	"testing"
)

// FuzzDigestGrammar holds what is accepted against the image specification's grammar for the two algorithms, and the
// stored form against the text.
func FuzzDigestGrammar(f *testing.F) {
	for _, s := range []string{
		empty, "sha512:" + strings.Repeat("0", 128), "sha256:" + strings.Repeat("A", 64), "SHA256:" + strings.Repeat("a", 64), "sha256:" + strings.Repeat("g", 64),
		"sha256:" + strings.Repeat("0", 63), " " + empty, empty + "\n", "sha256:../" + strings.Repeat("0", 61), "sha384:" + strings.Repeat("0", 96),
	} {
		f.Add(s)
	}
	rule := regexp.MustCompile(`\A(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})\z`)
	f.Fuzz(func(t *testing.T, s string) {
		d, err := Parse(s)
		if rule.MatchString(s) != (err == nil) {
			t.Fatalf("%q: %v", s, err)
		}
		if err != nil {
			return
		}
		again, err := FromBytes(d.Bytes())
		if err != nil || again != d || again.String() != s {
			t.Errorf("%q is stored as %x, which reads %q, %v", s, d.Bytes(), again, err)
		}
	})
}
