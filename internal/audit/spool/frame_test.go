package spool

import (
	"bytes"
	"testing"
)

func framed(record []byte) []byte {
	head := frameHead(record)
	return append(head[:], record...)
}

// FuzzParse feeds anything to the parser: it reads nothing that was not framed, and never beyond the end.
func FuzzParse(f *testing.F) {
	f.Add([]byte("record"), []byte{1, 2, 3}, 3)
	f.Add([]byte{0}, []byte{}, 100)
	f.Add(bytes.Repeat([]byte("x"), 300), []byte{0, 0, 0, 0, 0, 0, 0, 0}, 8)
	f.Fuzz(func(t *testing.T, record, noise []byte, cut int) {
		if got, n, s := parse(noise); s == whole {
			if n > len(noise) || !bytes.Equal(framed(got), noise[:n]) {
				t.Fatalf("%x was taken for a record of %d", noise, n)
			}
		}
		if len(record) == 0 || len(record) > MaxRecord {
			return
		}
		frame := framed(record)
		got, n, s := parse(append(bytes.Clone(frame), noise...))
		if s != whole || n != len(frame) || !bytes.Equal(got, record) {
			t.Fatalf("a whole record is %d, %d bytes", s, n)
		}
		if cut >= 0 && cut < len(frame) {
			if _, _, s := parse(frame[:cut]); s != short {
				t.Fatalf("a record cut to %d of %d bytes is %d", cut, len(frame), s)
			}
			frame[cut] ^= 1
			if got, _, s := parse(frame); s == whole {
				t.Fatalf("with byte %d changed it is %q", cut, got)
			}
		}
	})
}
