package rest

import (
	"errors"

	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/identity"
)

// signedIn records a sign-in with a password in the user's log.
func (a *API) signedIn(c *Call, user identity.Account) error {
	if !a.options.AuditLogins {
		return nil
	}
	return a.options.Audit.Noted(audit.Entry{
		Kind: audit.LoginSuccess, PerformerID: user.ID, NamespaceID: user.ID, IP: c.Record.ClientIP,
		Metadata: []audit.Field{
			audit.Text("type", "quayauth"), audit.Text("kind", "user"), audit.Text("useragent", c.Agent), audit.Text("username", user.Name),
		},
	})
}

// notSignedIn records a sign-in that was refused, in the registry's log alone: whom the caller claims to be is not
// looked up. That an entry cannot be kept does not change the answer, which is a refusal already.
func (a *API) notSignedIn(c *Call, name string, refusal error) {
	var f *failure
	if !a.options.AuditLoginFailures || !errors.As(refusal, &f) {
		return
	}
	_ = a.options.Audit.Noted(audit.Entry{
		Kind: audit.LoginFailure, IP: c.Record.ClientIP,
		Metadata: []audit.Field{
			audit.Text("type", "quayauth"), audit.Text("kind", "user"), audit.Text("useragent", c.Agent),
			audit.Text("username", name), audit.Text("message", f.text),
		},
	})
}
