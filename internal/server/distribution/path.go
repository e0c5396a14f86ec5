package distribution

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// kind says what a path names.
type kind uint8

const (
	kindBase      kind = iota // /v2/
	kindToken                 // /v2/auth
	kindCatalog               // /v2/_catalog
	kindBlob                  // /v2/{name}/blobs/{digest}
	kindUploads               // /v2/{name}/blobs/uploads/
	kindUpload                // /v2/{name}/blobs/uploads/{id}
	kindManifest              // /v2/{name}/manifests/{reference}
	kindTags                  // /v2/{name}/tags/list
	kindReferrers             // /v2/{name}/referrers/{digest}
	kindKeys                  // /keys/services/{service}/keys
	kindKey                   // /keys/services/{service}/keys/{kid}
)

// target is what a path names. It is parsed once; router, permission and handler see the same one.
type target struct {
	kind kind
	path string // repository as the client spells it, "acme/app" or "busybox"
	// namespace and name are path read by the rules for names; kinds without a repository leave them empty.
	namespace, name string
	reference       string        // digest, tag, upload id or key id, as the client spells it
	digest          digest.Digest // reference read as a digest, where it is one
	tag             string        // reference read as a tag, where it is one
	service         string        // service of a key
}

// parsePath reads an escaped path. The repository ends at the last of the four route words that something follows, so
// that repositories may be named after route words ("acme/app/tags/list"): each route has exactly one such word after
// the name, and nothing behind it can be one, since references hold no slash.
//
// Segments are told apart before they are decoded: an encoded separator never separates. A segment that decodes to a
// separator, a dot segment, NUL, another control character or nothing names no route.
func parsePath(escaped string) (target, error) {
	segments, ok := splitPath(escaped)
	if !ok || len(segments) == 0 {
		return target{}, noRoute()
	}
	switch rest := segments[1:]; {
	case segments[0] == "keys":
		return parseKeysPath(rest)
	case segments[0] != "v2":
		return target{}, noRoute()
	case len(rest) == 0, len(rest) == 1 && rest[0] == "":
		return target{kind: kindBase}, nil
	case len(rest) == 1 && rest[0] == "auth":
		return target{kind: kindToken}, nil
	case len(rest) == 1 && rest[0] == "_catalog":
		return target{kind: kindCatalog}, nil
	default:
		return parseRepositoryPath(rest)
	}
}

func parseRepositoryPath(segments []string) (target, error) {
	at := lastRouteWord(segments)
	if at < 1 {
		return target{}, noRoute()
	}
	t := target{path: strings.Join(segments[:at], "/")}
	word, rest := segments[at], segments[at+1:]
	switch {
	case word == "blobs" && len(rest) == 2 && rest[0] == "uploads" && rest[1] == "":
		t.kind = kindUploads
	case word == "blobs" && len(rest) == 2 && rest[0] == "uploads":
		t.kind, t.reference = kindUpload, rest[1]
	case word == "tags" && len(rest) == 1 && rest[0] == "list":
		t.kind = kindTags
	case len(rest) != 1 || rest[0] == "":
		return target{}, noRoute()
	case word == "blobs" && strings.Contains(rest[0], ":"): // not ".../blobs/uploads" without its slash
		t.kind, t.reference = kindBlob, rest[0]
	case word == "manifests":
		t.kind, t.reference = kindManifest, rest[0]
	case word == "referrers":
		t.kind, t.reference = kindReferrers, rest[0]
	default:
		return target{}, noRoute()
	}
	return t, nil
}

func parseKeysPath(segments []string) (target, error) {
	if len(segments) < 3 || len(segments) > 4 || segments[0] != "services" || segments[2] != "keys" {
		return target{}, noRoute()
	}
	t := target{kind: kindKeys, service: segments[1]}
	if len(segments) == 4 {
		t.kind, t.reference = kindKey, segments[3]
	}
	if t.service == "" || t.kind == kindKey && t.reference == "" {
		return target{}, noRoute()
	}
	return t, nil
}

// lastRouteWord is the index of the last route word that has a segment after it, or -1.
func lastRouteWord(segments []string) int {
	for i := len(segments) - 2; i >= 0; i-- {
		switch segments[i] {
		case "blobs", "manifests", "tags", "referrers":
			return i
		}
	}
	return -1
}

// splitPath gives the decoded segments of an absolute path. Only the last may be empty: a trailing slash.
func splitPath(escaped string) ([]string, bool) {
	if !strings.HasPrefix(escaped, "/") {
		return nil, false
	}
	segments := strings.Split(escaped[1:], "/")
	for i, s := range segments {
		if s == "" && i == len(segments)-1 {
			break
		}
		decoded, ok := decodeSegment(s)
		if !ok {
			return nil, false
		}
		segments[i] = decoded
	}
	return segments, true
}

func decodeSegment(s string) (string, bool) {
	if strings.Contains(s, "%") {
		decoded, err := url.PathUnescape(s)
		if err != nil {
			return "", false
		}
		s = decoded
	}
	if s == "" || s == "." || s == ".." || !utf8.ValidString(s) {
		return "", false
	}
	bad := strings.ContainsFunc(s, func(r rune) bool { return r == '/' || r == '\\' || r < 0x20 || r == 0x7f })
	return s, !bad
}

func noRoute() error {
	return problem.New(problem.NotFound, "no such route").WithCode("NAME_UNKNOWN")
}
