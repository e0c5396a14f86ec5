package distribution

import (
	"testing"

	"github.com/longshore-registry/longshore/internal/problem"
)

func TestRangesOfABlob(t *testing.T) {
	const size = 2048
	for _, row := range []struct {
		header string
		want   span
		whole  bool
	}{
		{"", span{0, size}, true},
		{"bytes=500-1499", span{500, 1000}, false},
		{"bytes=500-", span{500, 1548}, false},
		{"bytes=-500", span{1548, 500}, false},
		{"bytes=-5000", span{0, size}, false},
		{"bytes=0-0", span{0, 1}, false},
		{"bytes=0-", span{0, size}, false},
		{"bytes=2000-5000", span{2000, 48}, false},
		{"bytes=2047-99999999999999999999999", span{2047, 1}, false},
		{"bytes=0-1,4-5", span{0, size}, true},
		{"lines=1-2", span{0, size}, true},
	} {
		t.Run(row.header, func(t *testing.T) {
			got, whole, err := parseRange(row.header, size)
			if err != nil || got != row.want || whole != row.whole {
				t.Errorf("got %+v, whole %v, error %v; want %+v, %v", got, whole, err, row.want, row.whole)
			}
		})
	}
	for _, header := range []string{"bytes=500-0", "bytes=5000-10000", "bytes=2048-", "bytes=-0", "bytes=-", "bytes=", "bytes=a-b", "bytes=1", "bytes=--5", "bytes=+1-2"} {
		t.Run(header+" is not satisfiable", func(t *testing.T) {
			if got, _, err := parseRange(header, size); !problem.Is(err, problem.RangeInvalid) {
				t.Errorf("got %+v, error %v", got, err)
			}
		})
	}
	if got, whole, err := parseRange("bytes=0-", 0); err != nil || !whole || got.length != 0 {
		t.Errorf("a range of an empty blob: %+v, %v, %v", got, whole, err)
	}
}

func TestContentRangesOfChunks(t *testing.T) {
	for _, row := range []struct {
		header      string
		first, last int64
	}{
		{"", -1, -1}, {"0-0", 0, 0}, {"0-21", 0, 21}, {"22-43", 22, 43}, {"5-4", 5, 4}, {"007-9", 7, 9},
	} {
		first, last, err := parseContentRange(row.header)
		if err != nil || first != row.first || last != row.last {
			t.Errorf("%q: %d, %d, %v", row.header, first, last, err)
		}
	}
	for _, header := range []string{"bytes 0-1/2", "bytes=0-1", "0", "-", "1-", "-1", "5-3", " 0-1", "0-1 ", "0-1-2", "a-b", "0-99999999999999999999"} {
		if first, last, err := parseContentRange(header); !problem.HasCode(err, "BLOB_UPLOAD_INVALID") {
			t.Errorf("%q: %d, %d, %v", header, first, last, err)
		}
	}
}

func TestEntityTagsMatch(t *testing.T) {
	const tag = `"sha256:ab"`
	for header, want := range map[string]bool{
		"": false, `"sha256:ab"`: true, `W/"sha256:ab"`: true, `"x", "sha256:ab"`: true, "*": true, `"sha256:a"`: false, `sha256:ab`: false,
	} {
		if got := matchesETag(header, tag); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-1", "bytes=-5", "bytes=5-", "bytes=9-1", "bytes=1-99999999999999999999", "x"} {
		f.Add(seed, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		s, whole, err := parseRange(header, size)
		if err != nil {
			return
		}
		if s.start < 0 || s.length < 0 || s.start > size || s.length > size-s.start {
			t.Errorf("%q of %d bytes leaves it: %+v", header, size, s)
		}
		if whole && s != (span{0, size}) || !whole && s.length == 0 {
			t.Errorf("%q of %d bytes: %+v, whole %v", header, size, s, whole)
		}
	})
}
