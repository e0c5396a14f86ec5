package distribution

import (
	"context"
	"slices"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/registry"
)

// grant is what a token's access list allows on a repository. Each grant includes the ones before it.
type grant uint8

const (
	grantNone grant = iota
	grantPull
	grantPush
	grantAll
)

// grant is what the request's token grants on the request's repository. A token names a repository as its scope did,
// perhaps with this registry's host name or without the library namespace; it is compared as parsed.
func (q *request) grant() grant {
	best := grantNone
	for _, a := range q.claims.Access {
		if a.Type != "repository" {
			continue
		}
		namespace, name, err := registry.ParseName(withoutHost(a.Name, q.rec.Host), q.options.Names)
		if err != nil || namespace != q.target.namespace || name != q.target.name {
			continue
		}
		for _, action := range a.Actions {
			best = max(best, grantOf(action))
		}
	}
	return best
}

func grantOf(action string) grant {
	switch action {
	case "pull":
		return grantPull
	case "push":
		return grantPush
	case "*":
		return grantAll
	}
	return grantNone
}

// rights are what a principal may do at a place: what its token grants and what package access says, both.
type rights struct {
	handler   *Handler
	principal identity.Principal
	place     place
	granted   grant
	pushing   bool // the request adds to a push, under what a token says; see maker
	fresh     bool // as of now, whatever is cached
}

// pull: the token grants it and its bearer may, or everybody may, with whatever token. Whoever could make a missing
// repository by a push may also be told that it is missing: clients look before they push.
func (r rights) pull(ctx context.Context) (access.Denial, error) {
	if r.granted >= grantPull {
		denial, err := r.check(ctx, r.principal, access.Pull, r.place.object())
		if denial != access.NoRight || err != nil {
			return denial, err
		}
		if !r.place.exists() {
			return r.create(ctx)
		}
	}
	if !r.place.exists() {
		return access.NoRight, nil
	}
	return r.check(ctx, identity.Principal{}, access.Pull, r.place.object())
}

// push: the token grants it and its bearer may; on a missing repository, may make it. See also maker.
func (r rights) push(ctx context.Context) (access.Denial, error) {
	switch {
	case r.granted < grantPush:
		return access.NoRight, nil
	case !r.place.exists():
		return r.create(ctx)
	}
	denial, err := r.check(ctx, r.principal, access.Push, r.place.object())
	if err != nil || denial != access.NoRight {
		return denial, err
	}
	maker, is, err := r.maker(ctx)
	if err != nil || !is {
		return access.NoRight, err
	}
	return r.check(ctx, maker, access.Push, r.place.object())
}

// maker is the bearer as one who goes on with the push that made the repository. An OAuth token with repo:create and
// without repo:write is granted push on what is missing alone, so that a registry token of its that grants push is older
// than the repository: for as long as that token lives it adds to the repository, within the user's own rights. The next
// one does not.
//
// Another may have made the repository since. Who makes one in an organization administers it in person, and in a user's
// namespace all is the user's: who is neither did not make it.
func (r rights) maker(ctx context.Context) (maker identity.Principal, is bool, err error) {
	p := r.principal
	if !r.pushing || p.Credential != identity.OAuthToken || !p.Scopes.Has(identity.ScopeRepoCreate) {
		return p, false, nil
	}
	p.Scopes |= identity.ScopeRepoWrite
	if r.place.repository.NamespaceID == p.Account.ID {
		return p, true, nil
	}
	permissions, err := r.handler.options.Access.Permissions(ctx, r.place.repository.ID, false)
	return p, slices.ContainsFunc(permissions, func(own access.Permission) bool {
		return own.AccountID == p.Account.ID && own.Role == access.Admin
	}), err
}

// administer is what "*" in a token stands for.
func (r rights) administer(ctx context.Context) (access.Denial, error) {
	if r.granted < grantAll || !r.place.exists() {
		return access.NoRight, nil
	}
	return r.check(ctx, r.principal, access.AdministerContent, r.place.object())
}

// create: the repository may be made, and with CREATE_NAMESPACE_ON_PUSH its organization.
func (r rights) create(ctx context.Context) (access.Denial, error) {
	return r.check(ctx, r.principal, access.CreateRepository, r.place.container())
}

// check asks package access. A right that was taken away may count for as long as facts are cached; one that was given
// counts at once, since a refusal is asked again of the tables.
func (r rights) check(ctx context.Context, p identity.Principal, a access.Action, o access.Object) (access.Denial, error) {
	authority := r.handler.options.Access
	ask := authority.Check
	if r.fresh {
		ask = authority.Fresh
	}
	decision, err := ask(ctx, p, a, o)
	if err == nil && decision.Denial == access.NoRight && !r.fresh && !p.IsAnonymous() {
		decision, err = authority.Fresh(ctx, p, a, o)
	}
	if err != nil {
		return access.NoRight, err
	}
	return decision.Denial, nil
}
