package distribution

import (
	"context"
	"strings"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// identify finds out whom a user name and a secret belong to.
func (q *request) identify(ctx context.Context, username, secret string) (identity.Principal, error) {
	if strings.Contains(username, "+") && strings.Count(secret, ".") == 2 {
		if p, ok, err := q.passHolder(ctx, username, secret); ok || err != nil {
			return p, err
		}
	}
	return q.options.Identity.Login(ctx, username, secret)
}

// passHolder is the robot that shows a pass in place of its secret: what it got for a token of an issuer that it trusts
// (rest-api §4.2). A registry token that only grants access to repositories is none: it must not become more.
func (q *request) passHolder(ctx context.Context, robot, secret string) (identity.Principal, bool, error) {
	claims, err := q.options.Tokens.Verify(ctx, secret, q.options.Service)
	if err != nil || !claims.Federated || claims.Credential != identity.RobotToken || claims.Reference != robot {
		return identity.Principal{}, false, unlessRefused(err)
	}
	p, err := q.options.Identity.Current(ctx, identity.RobotToken, robot, claims.AccessRev)
	return p, err == nil, unlessRefused(err)
}

// unlessRefused keeps errors that are no refusal of a credential.
func unlessRefused(err error) error {
	if problem.Is(err, problem.Unauthenticated) {
		return nil
	}
	return err
}
