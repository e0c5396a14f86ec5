package rest

import (
	"context"
	"net/http"
	"strings"

	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/identity/bearer"
	"github.com/longshore-registry/longshore/internal/problem"
)

func (a *API) federationRoutes() []*route {
	return []*route{
		{Method: http.MethodGet, Path: "/oauth2/federation/robot/token", ID: "exchangeFederatedRobotToken", Summary: "A registry token for a robot, for a token of an issuer that it trusts", Need: everybody(), Anonymous: true, Browser: true, Handler: page(a.exchangeRobotToken)},
	}
}

// federationCredential is what the log says of a robot that came in by its issuer's word, or wanted to.
const federationCredential = "federation"

// exchangeRobotToken gives who shows a token that a robot trusts, in place of the robot's secret by HTTP Basic, the
// robot's pass: a registry token that grants nothing by itself, and with which /v2/auth knows the robot.
func (a *API) exchangeRobotToken(ctx context.Context, c *Call, x *exchange) error {
	name, token, ok := x.r.BasicAuth()
	if !ok || !strings.Contains(name, "+") {
		return abort(http.StatusUnauthorized, "Send the robot's name and the issuer's token by HTTP Basic")
	}
	c.Record.Credential = federationCredential
	robot, rule, err := a.options.Identity.Federated(ctx, name, token)
	if problem.Is(err, problem.Unauthenticated) {
		f := abort(http.StatusUnauthorized, "%s", problem.From(err).Message)
		f.cause = err
		return f
	}
	if err != nil {
		return err
	}
	noteActor(c.Record, robot)
	c.Record.Credential = federationCredential
	pass, _, err := a.options.Keys.Issue(bearer.Claims{
		Subject: robot.Account.Name, Audience: a.options.Service, Credential: identity.RobotToken, Reference: robot.Account.Name,
		AccessRev: robot.Account.AccessRev, Federated: true,
	})
	if err != nil {
		return err
	}
	err = a.options.Audit.Noted(audit.Entry{
		Kind: audit.FederatedRobotTokenExchange, PerformerID: robot.Account.ID, NamespaceID: robot.Account.OwnerID, IP: c.Record.ClientIP,
		Metadata: []audit.Field{
			audit.Text("robot", robot.Account.Name), audit.Text("issuer", rule.Issuer), audit.Text("subject", rule.Subject), audit.Text("useragent", c.Agent),
		},
	})
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, map[string]string{"token": pass})
}
