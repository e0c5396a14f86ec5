package manifest

import (
	"fmt"
	"strings"

	"github.com/longshore-registry/longshore/internal/problem"
)

// Detail is the detail member of MANIFEST_INVALID and MANIFEST_BLOB_UNKNOWN, in Quay's form.
type Detail struct {
	Message string `json:"message"`
	Digest  string `json:"digest,omitempty"` // the unknown blob or manifest
}

// Refuse is a MANIFEST_INVALID of a kind. The reason stands in the message too, since most clients print nothing of
// the detail.
func Refuse(kind problem.Kind, format string, args ...any) *problem.Error {
	reason := fmt.Sprintf(format, args...)
	return problem.New(kind, "manifest invalid: %s", reason).WithCode("MANIFEST_INVALID").WithDetail(Detail{Message: reason})
}

// malformed refuses what is not JSON, or JSON that could be read in two ways.
func malformed(format string, args ...any) error {
	return Refuse(problem.Invalid, "failed to parse manifest: malformed manifest data: %s", fmt.Sprintf(format, args...))
}

// mismatch refuses JSON that is no manifest.
func mismatch(format string, args ...any) error {
	return Refuse(problem.Invalid, "failed to parse manifest: manifest data does not match schema: %s", fmt.Sprintf(format, args...))
}

// tooLarge refuses what is above a limit.
func tooLarge(format string, args ...any) error {
	return Refuse(problem.TooLarge, "failed to parse manifest: %s", fmt.Sprintf(format, args...))
}

// unsupported refuses a type of document. Quay's words come first, for whoever looks for them.
func unsupported(format string, args ...any) error {
	return Refuse(problem.UnsupportedMedia, "manifest schema version not supported: %s", fmt.Sprintf(format, args...))
}

// quote shows a piece of a hostile document in a message.
func quote(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most] + "…"
	}
	return fmt.Sprintf("'%s'", strings.ToValidUTF8(s, "\ufffd"))
}

// list shows what is allowed, as ['a', 'b'].
func list(items []string) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = quote(item)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
