package distribution

import (
	"context"
	"net/http"

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

// failed records a request for a manifest that was refused or failed, where the configuration asks for it. Without a
// valid token a refusal is none, since every client's first request is refused so; nor is it one that the registry itself
// is unwell. An entry that cannot be kept does not change the answer.
func (q *request) failed(ctx context.Context, refusal error) {
	kind := q.failure()
	if kind == 0 || q.options.Audit == nil || problem.Is(refusal, problem.Unavailable) ||
		problem.Is(refusal, problem.Unauthenticated) && q.principal.IsAnonymous() {
		return
	}
	fields := []audit.Field{
		audit.Text("repo", q.target.name), audit.Text("namespace", q.target.namespace), audit.Text("message", problem.From(refusal).Message),
	}
	if q.target.tag != "" {
		fields = append(fields, audit.Text("tag", q.target.tag))
	} else {
		fields = append(fields, audit.Text("manifest_digest", q.target.digest.String()))
	}
	record := q.options.Audit.Noted
	if kind == audit.PullRepoFailed {
		record = q.options.Audit.Pulled // what DISABLED_FOR_PULL_LOGS is about
	}
	namespaceID := q.place.repository.NamespaceID
	if namespaceID == 0 {
		namespaceID = q.place.owner.ID
	}
	err := record(audit.Entry{
		Kind: kind, PerformerID: q.principal.Account.ID, NamespaceID: namespaceID, RepositoryID: q.place.repository.ID,
		IP: q.rec.ClientIP, Metadata: audit.AppendWho(fields, q.principal, q.r.UserAgent()),
	})
	if err != nil {
		q.options.Log.WarnContext(ctx, "a request that failed could not be recorded", "error", err)
	}
}

// failure is the kind of entry that the request has when it fails; 0 for none.
func (q *request) failure() audit.Kind {
	if q.target.kind != kindManifest {
		return 0
	}
	on := q.options.AuditFailures
	switch q.r.Method {
	case http.MethodGet, http.MethodHead:
		if on.Pulls {
			return audit.PullRepoFailed
		}
	case http.MethodPut:
		if on.Pushes {
			return audit.PushRepoFailed
		}
	case http.MethodDelete:
		if on.Deletes {
			return audit.DeleteTagFailed
		}
	}
	return 0
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
