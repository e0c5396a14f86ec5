package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// Inviter tells somebody by mail of an invitation to a team. It is called after the invitation was stored; when it
// fails the invitation stays, and asking for it once more sends it once more.
type Inviter interface {
	// Invite sends a letter to an address. The link accepts the invitation and is a secret.
	Invite(ctx context.Context, to, organization, team, inviter, link string) error
}

func (a *API) inviteRoutes() []*route {
	const invite = "/api/v1/organization/{orgname}/team/{teamname}/invite/{email}"
	const code = "/api/v1/teaminvite/{code}"
	managed, own := organization(access.AdministerNamespace), account(access.AdministerAccount, identity.ScopeUserAdmin)
	off := 0
	if a.options.Inviter == nil {
		off = http.StatusMethodNotAllowed
	}
	return []*route{
		{Method: http.MethodPut, Path: invite, ID: "inviteTeamMemberEmail", Summary: "Invite an e-mail address to a team", Need: managed, Off: off, Handler: handle(a.inviteAddress)},
		{Method: http.MethodDelete, Path: invite, ID: "deleteTeamMemberEmailInvite", Summary: "Take back the invitation of an e-mail address", Need: managed, Off: off, Handler: handle(a.withdrawAddress)},
		{Method: http.MethodPut, Path: code, ID: "acceptOrganizationTeamInvite", Summary: "Accept an invitation to a team", Need: own, Off: off, Handler: handle(a.acceptInvite)},
		{Method: http.MethodDelete, Path: code, ID: "declineOrganizationTeamInvite", Summary: "Decline an invitation to a team", Need: own, Off: off, Handler: handle(a.declineInvite)},
	}
}

// mustInvite reports whether somebody has to be asked before becoming a member: users who are in no team of the
// organization yet, where invitations are required.
func (a *API) mustInvite(ctx context.Context, c *Call, who identity.Account) (bool, error) {
	if a.options.Inviter == nil || !a.options.RequireTeamInvite || who.Kind != identity.User {
		return false, nil
	}
	_, member, err := a.options.Lists.Member(ctx, c.Organization.ID, who.ID)
	return !member, err
}

// invite stores an invitation of a user, or of an address, and sends it.
func (a *API) invite(ctx context.Context, c *Call, team string, who identity.Account, email string) error {
	made, err := a.options.Identity.InviteToTeam(ctx, c.Organization.ID, team, who.ID, email, c.Principal.Account.ID)
	if err != nil {
		return err
	}
	address := email
	if who.ID != 0 {
		address = who.Email
	}
	if address == "" {
		return nil // an account without an address finds the invitation in the console
	}
	link := c.Record.URL("/confirminvite?code=" + made.Code)
	if err := a.options.Inviter.Invite(ctx, address, c.Organization.Name, team, c.Principal.Account.Name, link); err != nil {
		return problem.Wrap(err, problem.Unavailable, "The invitation is stored but could not be sent by mail; invite again to send it again")
	}
	return nil
}

func (a *API) inviteAddress(ctx context.Context, c *Call, _ *struct{}) (*teamMemberOutput, error) {
	email := c.Path.Variable("email")
	if err := a.invite(ctx, c, c.Path.Variable("teamname"), identity.Account{}, email); err != nil {
		return nil, invalidOnly(err)
	}
	return &teamMemberOutput{newInvitedAddress(email)}, nil
}

func (a *API) withdrawAddress(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	return nil, a.options.Identity.WithdrawInvite(ctx, c.Organization.ID, c.Path.Variable("teamname"), 0, c.Path.Variable("email"))
}

type acceptInviteOutput struct {
	Body struct {
		Org  string `json:"org"`
		Team string `json:"team"`
	}
}

func (a *API) acceptInvite(ctx context.Context, c *Call, _ *struct{}) (*acceptInviteOutput, error) {
	end, err := a.options.Identity.AcceptInvite(ctx, c.Path.Variable("code"), c.Principal.Account.ID)
	if err != nil {
		return nil, asMessage(err)
	}
	out := &acceptInviteOutput{}
	out.Body.Org, out.Body.Team = end.Organization, end.Team
	return out, nil
}

func (a *API) declineInvite(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	return nil, asMessage(a.options.Identity.DeclineInvite(ctx, c.Path.Variable("code"), c.Principal.Account.ID))
}
