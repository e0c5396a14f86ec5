package registry

import (
	"strings"

	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry/manifest"
)

func nameInvalid(format string, args ...any) error {
	return problem.New(problem.Invalid, format, args...).WithCode("NAME_INVALID")
}

// nameUnknown says that there is no such repository. It names none, so that a caller can answer it to anybody.
func nameUnknown() error {
	return problem.New(problem.NotFound, "repository name not known to registry").WithCode("NAME_UNKNOWN")
}

func tagInvalid(kind problem.Kind, tag string) error {
	return problem.New(kind, "'%s' is no tag: a tag has 1 to %d letters, digits, '_', '.' and '-', and does not begin with '.' or '-'",
		clip(tag), maxTag).WithCode("TAG_INVALID")
}

func manifestUnknown(ref Reference) error {
	detail := map[string]string{"tag": ref.Tag}
	if !ref.Digest.IsZero() {
		detail = map[string]string{"digest": ref.Digest.String()}
	}
	return problem.New(problem.NotFound, "manifest unknown").WithCode("MANIFEST_UNKNOWN").WithDetail(detail)
}

// tagImmutable refuses to end a tag that is to stay. The words are Quay's, of both its protocols.
func tagImmutable(operation, tag string) error {
	return problem.New(problem.Conflict, "Cannot %s immutable tag '%s'", operation, tag).
		WithCode("TAG_IMMUTABLE").WithDetail(map[string]string{"message": "tag '" + tag + "' is immutable"})
}

func tagExpired(tag string) error {
	return problem.New(problem.NotFound, "Tag %s was deleted or has expired. To pull, revive via time machine", tag).WithCode("TAG_EXPIRED")
}

// contentUnknown refuses a manifest that names a blob or manifest which is not in the repository. The code is the
// specification's, the detail's message is Quay's.
func contentUnknown(what string, d digest.Digest) error {
	detail := manifest.Detail{Message: "Unknown " + what + " `" + d.String() + "`", Digest: d.String()}
	return problem.New(problem.Invalid, "manifest blob unknown to registry: %s", detail.Message).
		WithCode("MANIFEST_BLOB_UNKNOWN").WithDetail(detail)
}

// clip keeps hostile input out of messages and logs.
func clip(s string) string {
	const most = 300
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "\ufffd")
}
