package rest

import (
	"context"
	"net/http"
	"net/url"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// invitationPath is where the links in invitations lead.
const invitationPath = "/confirminvite"

func (a *API) invitationPageRoutes() []*route {
	missing, refused := 0, 0
	if a.options.Inviter == nil {
		missing, refused = http.StatusNotFound, http.StatusMethodNotAllowed
	}
	return []*route{
		{Method: http.MethodGet, Path: invitationPath, ID: "confirmInvitePage", Summary: "Ask whether to join a team", Off: missing, Need: everybody(), Anonymous: true, Browser: true, Handler: page(a.showInvitation)},
		{Method: http.MethodPost, Path: invitationPath, ID: "confirmInvite", Summary: "Join a team, or decline", Off: refused, Need: everybody(), Anonymous: true, Form: true, Handler: page(a.answerInvitation)},
	}
}

// invitationView is what the page shows.
type invitationView struct{ Title, User, Team, Organization, Code, CSRF string }

// showInvitation asks; it uses nothing up, since programs that look at mails open links. Who is not signed in is led to
// the sign-in and back.
func (a *API) showInvitation(ctx context.Context, c *Call, x *exchange) error {
	code := x.query.Get("code")
	if c.Principal.Credential != identity.Session {
		if !a.options.DirectLogin {
			return x.html(http.StatusUnauthorized, notePage, note{"Sign in first", "Sign in to the registry, then follow the link in the mail again."}, "")
		}
		x.redirect(signInAddress(invitationPath + "?" + url.Values{"code": {code}}.Encode()))
		return nil
	}
	to, err := a.options.Identity.Invitation(ctx, code, c.Principal.Account.ID)
	if problem.Is(err, problem.Invalid) {
		return x.unusableInvitation(c, err)
	}
	if err != nil {
		return err
	}
	return x.html(http.StatusOK, invitationPage, invitationView{
		Title: "Invitation", User: c.Principal.Account.Name, Team: to.Team, Organization: to.Organization, Code: code, CSRF: a.sessions.csrfToken(ctx),
	}, "")
}

func (x *exchange) unusableInvitation(c *Call, err error) error {
	x.call.Record.Err = err
	return x.html(http.StatusBadRequest, notePage, note{"The invitation cannot be used", problem.From(err).Message + ". You are signed in as " + c.Principal.Account.Name + "."}, "")
}

// answerInvitation makes the signed-in user a member, or turns the invitation down.
func (a *API) answerInvitation(ctx context.Context, c *Call, x *exchange) error {
	if c.Principal.Credential != identity.Session {
		return abort(http.StatusUnauthorized, "Sign in to the registry first, then follow the link in the mail again")
	}
	code, declined := x.form.Get("code"), x.form.Get("answer") == "decline"
	var to identity.AcceptedInvite
	var err error
	if declined {
		err = a.options.Identity.DeclineInvite(ctx, code, c.Principal.Account.ID)
	} else {
		to, err = a.options.Identity.AcceptInvite(ctx, code, c.Principal.Account.ID)
	}
	switch {
	case problem.Is(err, problem.Invalid):
		return x.unusableInvitation(c, err)
	case err != nil:
		return err
	case declined:
		return x.html(http.StatusOK, notePage, note{"Invitation declined", "You do not become a member."}, "")
	}
	return x.html(http.StatusOK, notePage, note{"Welcome", c.Principal.Account.Name + " is now a member of the team " + to.Team + " of the organization " + to.Organization + "."}, "")
}
