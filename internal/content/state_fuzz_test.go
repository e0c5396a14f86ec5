package content

import (
	"bytes"
	"errors"
	"testing"

	"github.com/longshore-registry/longshore/internal/digest"
)

// FuzzUploadState continues a hash from its stored state wherever it was interrupted: the digest is that of the whole.
// A state that was damaged is refused as lost, or is one that the hash can hold; it never panics.
func FuzzUploadState(f *testing.F) {
	for _, s := range []string{"", "a", "some content of an upload", string(make([]byte, 300))} {
		for _, at := range []uint16{0, 1, 64, 128, 300} {
			f.Add([]byte(s), at, uint16(0), byte(0), false)
			f.Add([]byte(s), at, at, byte(0x80), true)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte, at, where uint16, flip byte, long bool) {
		algorithm := digest.SHA256
		if long {
			algorithm = digest.SHA512
		}
		cut := min(int(at), len(content))
		before := algorithm.New()
		before.Write(content[:cut])
		state, err := marshal(before)
		if err != nil {
			t.Fatal(err)
		}
		after, err := restore(algorithm, state)
		if err != nil {
			t.Fatalf("a state of %d bytes of content is refused: %v", cut, err)
		}
		after.Write(content[cut:])
		if got := algorithm.Sum(after); got != algorithm.Of(content) {
			t.Fatalf("interrupted at byte %d of %d: %s", cut, len(content), got)
		}
		for name, damaged := range map[string][]byte{
			"content": content, "cut": state[:min(int(where), len(state))], "flipped": flipped(state, int(where), flip),
		} {
			if damaged == nil {
				continue // that is a new upload's
			}
			h, err := restore(algorithm, damaged)
			if err != nil {
				if !errors.Is(err, ErrLost) {
					t.Errorf("%s: %v does not say that the upload is lost", name, err)
				}
				continue
			}
			h.Write(content)
			h.Sum(nil)
			if len(damaged) != len(state) {
				t.Errorf("%s: a state of %d bytes is accepted, one has %d", name, len(damaged), len(state))
			}
		}
		other := digest.SHA512
		if long {
			other = digest.SHA256
		}
		if _, err := restore(other, state); !errors.Is(err, ErrLost) {
			t.Errorf("the state of another algorithm: %v", err)
		}
	})
}

func flipped(b []byte, at int, mask byte) []byte {
	c := bytes.Clone(b)
	c[at%len(c)] ^= mask
	return c
}
