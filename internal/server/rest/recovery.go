package rest

import (
	"context"
	"time"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// recoveryTime bounds the making and sending of a recovery letter, which goes on after the answer.
const recoveryTime = time.Minute

type recoveryInput struct {
	Body struct {
		Email     string `json:"email" maxLength:"254"`
		Recaptcha string `json:"recaptcha_response,omitempty" maxLength:"4096"`
	}
}

type recoveryOutput struct {
	Body struct {
		Status string `json:"status" enum:"sent,org"`
		Email  string `json:"orgemail,omitempty"`
		Name   string `json:"orgname,omitempty" doc:"with most letters covered"`
	}
}

// requestRecovery sends whoever owns an address a link to set a new password. Whether somebody does is not told: the
// mail server is asked in any case, so that its failure looks the same for all, and what is done for a user is done
// after the answer. An organization's address is told to be one, as Quay does.
func (a *API) requestRecovery(ctx context.Context, _ *Call, in *recoveryInput) (*recoveryOutput, error) {
	if err := a.options.Mail.Check(ctx); err != nil {
		return nil, err
	}
	out := &recoveryOutput{}
	out.Body.Status = "sent"
	found, err := a.options.Identity.ByEmail(ctx, in.Body.Email)
	switch {
	case problem.Is(err, problem.NotFound), err == nil && !found.Enabled:
		return out, nil
	case err != nil:
		return nil, err
	}
	if found.Kind == identity.Organization {
		out.Body.Status, out.Body.Email, out.Body.Name = "org", in.Body.Email, covered(found.Name)
	}
	go a.recoverLater(context.WithoutCancel(ctx), found)
	return out, nil
}

// recoverLater makes a code and sends it. An address gets at most one letter a minute.
func (a *API) recoverLater(ctx context.Context, found identity.Account) {
	ctx, cancel := context.WithTimeout(ctx, recoveryTime)
	defer cancel()
	err := a.sendRecovery(ctx, found)
	if err != nil && !problem.Is(err, problem.TooMany) {
		a.options.Log.Warn("a mail to recover an account could not be sent", "account", found.Name, "error", err)
	}
}

func (a *API) sendRecovery(ctx context.Context, found identity.Account) error {
	code, err := a.options.Identity.RecoveryCode(ctx, found.ID)
	if err != nil {
		return err
	}
	if found.Kind == identity.Organization {
		admins, err := a.options.Identity.Administrators(ctx, found.ID)
		if err != nil {
			return err
		}
		return a.options.Mail.RecoverOrganization(ctx, found.Email, found.Name, admins)
	}
	if err := a.options.Mail.Recover(ctx, found.Email, found.Name, a.link("/recovery", code), a.options.Identity.CodeLife()); err != nil {
		return a.takeBack(ctx, code, err)
	}
	return nil
}

// covered shows a third of a name at most, at its ends.
func covered(name string) string {
	letters := []rune(name)
	open := max(len(letters)/3-1, 1)
	for i := range letters {
		if i >= open && i < len(letters)-open {
			letters[i] = '•'
		}
	}
	return string(letters)
}
