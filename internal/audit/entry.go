package audit

import (
	"context"
	"net/netip"
	"time"

	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// Entry is one action: who did what to what, and from where. An identifier of 0 is none.
type Entry struct {
	Kind         Kind
	At           time.Time  // the zero time is now
	PerformerID  int64      // the account that acted; none for access tokens and anonymous actions
	NamespaceID  int64      // the account whose log shows it; none for what concerns the registry as a whole
	RepositoryID int64      // the repository whose log shows it as well
	IP           netip.Addr // the client's, if known
	Metadata     []Field    // what the kind needs to be told; see Kind.Takes
	// Tag and Digest are what was pulled, for Options.CountPulls: the tag, if it was pulled by one, and the manifest.
	Tag    string
	Digest digest.Digest
}

// Actor is who stands behind a request. Entries that are recorded with its context are completed with it.
type Actor struct {
	AccountID int64
	IP        netip.Addr
	Fields    []Field // for every entry of the request, such as the OAuth token that was used
	// Who says with which credential the actor came, and with which client. Entries of pushes and the like have all of
	// it, those of other kinds what they take of it, and none has it twice.
	Who []Field
}

type actorKey struct{}

// WithActor gives a context whose entries are the actor's.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, &a)
}

func actorOf(ctx context.Context) *Actor {
	a, _ := ctx.Value(actorKey{}).(*Actor)
	if a == nil {
		a = &Actor{}
	}
	return a
}

// row is an entry as a month table holds it.
type row struct {
	atMS, id                         int64
	kind                             Kind
	namespaceID, repoID, performerID int64
	ip                               netip.Addr
	metadata                         []byte
	counted                          counted
}

// storable reports whether a month table can have an entry of the time: its year has four digits.
func storable(ms int64) bool {
	const last = 253402300799999 // the end of 9999
	return ms >= 0 && ms <= last
}

func (r *row) check() error {
	switch {
	case !r.kind.known():
		return problem.New(problem.Internal, "there is no kind of log entry with the number %d", uint16(r.kind))
	case !storable(r.atMS):
		return problem.New(problem.Internal, "the time of a log entry is %d ms: the years 1970 to 9999 are allowed", r.atMS)
	}
	return nil
}

// appendValues adds the row's values in the order of columns.
func (r *row) appendValues(to []any) []any {
	return append(to, r.atMS, r.id, int64(r.kind), orNull(r.namespaceID), orNull(r.repoID), orNull(r.performerID), address(r.ip), string(r.metadata))
}

// columns are those of a month table.
const columns = "at_ms, id, kind, namespace_id, repo_id, performer_id, ip, metadata"

func orNull(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

func address(ip netip.Addr) any {
	if !ip.IsValid() {
		return nil
	}
	return ip.Unmap().WithZone("").String()
}
