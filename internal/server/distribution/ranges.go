package distribution

import (
	"fmt"
	"math"
	"strings"

	"github.com/longshore-registry/longshore/internal/problem"
)

// span is a part of a blob: length bytes from byte start.
type span struct{ start, length int64 }

// parseRange reads a Range header (RFC 9110, section 14.2) for content of size bytes. whole says that all of it is to
// be sent: there is no header, its unit is unknown, it names several ranges, or the content is empty, where some
// clients send a range with every request. A range that is malformed or outside the content is RangeInvalid.
func parseRange(header string, size int64) (s span, whole bool, err error) {
	set, found := strings.CutPrefix(header, "bytes=")
	if !found || size == 0 || strings.Contains(set, ",") {
		return span{length: size}, true, nil
	}
	first, last, found := strings.Cut(strings.TrimSpace(set), "-")
	start, startOK := parseDecimal(first)
	end, endOK := parseDecimal(last)
	switch {
	case !found, first == "" && last == "", first != "" && !startOK, last != "" && !endOK:
		return span{}, false, badRange(header, size)
	case first == "": // the last bytes
		length := min(end, size)
		if length == 0 {
			return span{}, false, badRange(header, size)
		}
		return span{start: size - length, length: length}, false, nil
	case last == "":
		end = size - 1
	}
	end = min(end, size-1)
	if start > end {
		return span{}, false, badRange(header, size)
	}
	return span{start: start, length: end - start + 1}, false, nil
}

// contentRange is the header of an answer with part of a blob.
func (s span) contentRange(size int64) string {
	return fmt.Sprintf("bytes %d-%d/%d", s.start, s.start+s.length-1, size)
}

func badRange(header string, size int64) error {
	return problem.New(problem.RangeInvalid, "range %q does not lie within the blob's %d bytes", clip(header), size)
}

// parseContentRange reads the Content-Range of a chunk, "<first>-<last>" (distribution-spec v1.1.1, "Pushing a blob in
// chunks"). Without a header both are -1. A last byte one before the first is an empty chunk.
func parseContentRange(header string) (first, last int64, err error) {
	if header == "" {
		return -1, -1, nil
	}
	a, b, found := strings.Cut(header, "-")
	first, firstOK := parseDecimal(a)
	last, lastOK := parseDecimal(b)
	if !found || !firstOK || !lastOK || first == math.MaxInt64 || last == math.MaxInt64 || last < first-1 {
		return 0, 0, problem.New(problem.Invalid, "Invalid range header: Content-Range is %q and must be <first byte>-<last byte>", clip(header)).
			WithCode("BLOB_UPLOAD_INVALID")
	}
	return first, last, nil
}

// parseDecimal reads digits only. What does not fit is the largest number.
func parseDecimal(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		if n > (math.MaxInt64-int64(c-'0'))/10 {
			n = math.MaxInt64
			continue
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// received is the Range header that says how much of an upload is kept: "0-<last byte>". An empty upload cannot be
// told from one with a single byte this way; "0-0" is what clients understand for it.
func received(bytes int64) string { return fmt.Sprintf("0-%d", max(bytes-1, 0)) }

// matchesETag reports whether an If-None-Match header (RFC 9110, section 13.1.2) names the entity tag.
func matchesETag(header, etag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if candidate == etag || candidate == "*" {
			return true
		}
	}
	return false
}
