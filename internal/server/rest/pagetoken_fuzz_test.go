package rest

import (
	"encoding/base64"
	"testing"
	"time"
)

// FuzzPageToken holds for any text: a token that this list did not give is refused, and one that it gave reads back as
// the position it was given for. Only the very text counts.
func FuzzPageToken(f *testing.F) {
	now := time.Unix(1_700_000_000, 0)
	tokens, err := newPageTokens([]byte("secret"), func() time.Time { return now })
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", "acme/app", "ä\xff", "\"", "{}", "AAAA"} {
		f.Add(s, s, uint16(0), byte(1))
	}
	sample, err := tokens.encode("listRepos", "acme/app")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("acme/app", sample[1:], uint16(3), byte(0x40))
	f.Fuzz(func(t *testing.T, position, forged string, at uint16, mask byte) {
		var got string
		if err := tokens.decode("listRepos", forged, &got); err == nil {
			t.Errorf("the forged %q reads %q", forged, got)
		}
		token, err := tokens.encode("listRepos", []byte(position)) // bytes survive JSON, any text does not
		if err != nil {
			t.Fatal(err)
		}
		var read []byte
		if err := tokens.decode("listRepos", token, &read); err != nil || string(read) != position {
			t.Errorf("%q became %q, %v", position, read, err)
		}
		if err := tokens.decode("listTags", token, &read); err == nil {
			t.Error("another list takes the token")
		}
		sealed, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			t.Fatal(err)
		}
		if mask != 0 {
			sealed[int(at)%len(sealed)] ^= mask
			if err := tokens.decode("listRepos", base64.RawURLEncoding.EncodeToString(sealed), &read); err == nil {
				t.Errorf("a changed byte %d is not noticed", int(at)%len(sealed))
			}
		}
	})
}
