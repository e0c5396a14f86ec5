package digest

import (
	"strings"
	"testing"
)

const empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestParse(t *testing.T) {
	long := strings.Repeat("a", 128)
	for _, c := range []struct{ name, in, err string }{
		{"sha256", empty, ""},
		{"sha512", "sha512:" + long, ""},
		{"no algorithm", strings.TrimPrefix(empty, "sha256:"), "no algorithm"},
		{"unknown algorithm", "md5:d41d8cd98f00b204e9800998ecf8427e", "not supported"},
		{"too short", empty[:70], "has 63 digits: sha256 has 64"},
		{"too long", empty + "0", "has 65 digits"},
		{"wrong length for the algorithm", "sha512:" + empty[7:], "sha512 has 128"},
		{"upper case", strings.ToUpper(empty[:7]) + empty[7:], "not supported"},
		{"upper-case digits", "sha256:" + strings.ToUpper(empty[7:]), "upper-case"},
		{"not hexadecimal", "sha256:" + strings.Repeat("g", 64), "not hexadecimal"},
		{"traversal", "sha256:" + strings.Repeat("../", 21) + "a", "not hexadecimal"},
		{"empty", "", "no algorithm"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := Parse(c.in)
			if c.err == "" {
				if err != nil || d.String() != c.in {
					t.Fatalf("Parse(%q) = %v, %v", c.in, d, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Fatalf("Parse(%q) gave error %v, want one with %q", c.in, err, c.err)
			}
		})
	}
}

func TestEveryFormReadsBack(t *testing.T) {
	for _, a := range []Algorithm{SHA256, SHA512} {
		d := a.Of([]byte("content"))
		h := a.New()
		_, _ = h.Write([]byte("content"))
		if a.Sum(h) != d {
			t.Errorf("%v: a streamed hash differs from a direct one", a)
		}
		if back, err := FromBytes(d.Bytes()); err != nil || back != d {
			t.Errorf("%v: binary form reads back as %v, %v", a, back, err)
		}
		var scanned Digest
		if err := scanned.Scan(d.Bytes()); err != nil || scanned != d {
			t.Errorf("%v: database form reads back as %v, %v", a, scanned, err)
		}
		var text Digest
		b, _ := d.MarshalText()
		if err := text.UnmarshalText(b); err != nil || text != d {
			t.Errorf("%v: text reads back as %v, %v", a, text, err)
		}
	}
}

func TestTheZeroDigestIsNull(t *testing.T) {
	v, err := Digest{}.Value()
	if v != nil || err != nil {
		t.Fatalf("Value() = %v, %v", v, err)
	}
	d := SHA256.Of(nil)
	if err := d.Scan(nil); err != nil || !d.IsZero() {
		t.Fatalf("Scan(nil) left %v, %v", d, err)
	}
}

func TestDamagedRowsAreRefused(t *testing.T) {
	for _, b := range [][]byte{{9}, {1, 2, 3}, append(SHA256.Of(nil).Bytes(), 0)} {
		if d, err := FromBytes(b); err == nil {
			t.Errorf("FromBytes(%v) = %v", b, d)
		}
	}
}
