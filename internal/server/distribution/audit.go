package distribution

import (
	"context"

	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// acting gives a context whose changes are recorded as the request's.
func (q *request) acting(ctx context.Context) context.Context {
	return audit.WithActor(ctx, audit.ActorFor(q.principal, q.rec.ClientIP, q.r.UserAgent()))
}

// pulled records that the request's manifest is about to be sent (registry-protocol §14): HEAD counts like GET. The
// fields lie on the stack, since a log keeps nothing of an entry.
func (q *request) pulled(mediaType, name string, d digest.Digest) error {
	if q.options.Audit == nil {
		return nil
	}
	repo := &q.place.repository
	var space [4 + audit.MaxWho]audit.Field
	fields := append(space[:0], audit.Text("repo", repo.Name), audit.Text("namespace", repo.Namespace), audit.Text("mediaType", mediaType))
	if q.target.tag != "" {
		fields = append(fields, audit.Text("tag", q.target.tag))
	} else {
		fields = append(fields, audit.Text("manifest_digest", name))
	}
	return q.options.Audit.Pulled(audit.Entry{
		Kind: audit.PullRepo, PerformerID: q.principal.Account.ID, NamespaceID: repo.NamespaceID, RepositoryID: repo.ID,
		IP: q.rec.ClientIP, Metadata: audit.AppendWho(fields, q.principal, q.r.UserAgent()), Tag: q.target.tag, Digest: d,
	})
}

// loggedIn records a request for a token that grants nothing, which is how clients log in.
func (q *request) loggedIn() error {
	if q.options.Audit == nil || !q.options.AuditLogins {
		return nil
	}
	fields := q.loginFields(credentialName(q.principal.Credential))
	return q.options.Audit.Noted(audit.Entry{
		Kind: audit.LoginSuccess, PerformerID: q.principal.Account.ID, NamespaceID: home(q.principal.Account), IP: q.rec.ClientIP,
		Metadata: append(fields, audit.Text("username", q.principal.Account.Name)),
	})
}

// home is the namespace whose log shows an account's logins: its own, for a robot its owner's.
func home(a identity.Account) int64 {
	if a.OwnerID != 0 {
		return a.OwnerID
	}
	return a.ID
}

// notLoggedIn records credentials that are no good, in the registry's log alone: whom they claim to be is not looked up.
// An entry that cannot be kept does not change the answer, which is a refusal already.
func (q *request) notLoggedIn(ctx context.Context, username string, refusal error) {
	if q.options.Audit == nil || !q.options.AuditLoginFailures || !problem.Is(refusal, problem.Unauthenticated) {
		return
	}
	fields := append(q.loginFields(credentialKind(username)), audit.Text("username", clip(username)),
		audit.Text("message", problem.From(refusal).Message))
	if err := q.options.Audit.Noted(audit.Entry{Kind: audit.LoginFailure, IP: q.rec.ClientIP, Metadata: fields}); err != nil {
		q.options.Log.WarnContext(ctx, "a failed login could not be recorded", "error", err)
	}
}

func (q *request) loginFields(kind string) []audit.Field {
	return []audit.Field{audit.Text("type", "v2auth"), audit.Text("kind", kind), audit.Text("useragent", q.r.UserAgent())}
}
