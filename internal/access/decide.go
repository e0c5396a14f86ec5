package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/longshore-registry/longshore/internal/identity"
)

// Decide answers whether p may do a on o. It looks at its arguments only: f is what the tables say about p and o, and
// policy.SuperUsers names the super users, the first user where none are configured.
//
// The rules are registry-protocol §4.4, §5, §11, §12 and rest-api §1.8, §1.9.
func Decide(p identity.Principal, a Action, o Object, f Facts, policy Policy) Decision {
	return (&question{p: p, a: a, o: o, f: f, policy: policy}).decide()
}

// outline is Decide with reasons for somebody who administers the repository alone: they name no team, no super user and
// no restricted one. The decision is the same.
func outline(p identity.Principal, a Action, o Object, f Facts, policy Policy) Decision {
	return (&question{p: p, a: a, o: o, f: f, policy: policy, discreet: true}).decide()
}

// question is one call of Decide with the reasons found so far.
type question struct {
	p       identity.Principal
	a       Action
	o       Object
	f       Facts
	policy  Policy
	reasons []string

	discreet bool // the reasons are for somebody who may not see into the namespace: see outline
}

func (q *question) decide() Decision {
	denial := q.ask()
	return Decision{Allowed: denial == Granted, Denial: denial, Reasons: q.reasons}
}

func (q *question) because(format string, args ...any) {
	q.reasons = append(q.reasons, fmt.Sprintf(format, args...))
}

// deny adds a reason and gives the denial.
func (q *question) deny(d Denial, format string, args ...any) Denial {
	q.because(format, args...)
	return d
}

func (q *question) ask() Denial {
	if q.o.NamespaceID != 0 && !q.o.NamespaceEnabled && q.concernsNamespace() {
		return q.deny(NamespaceDisabled, "namespace %s is disabled", q.o.Namespace)
	}
	if d := q.right(); d != Granted {
		return d
	}
	if q.a.Changes() && q.policy.RegistryReadOnly {
		return q.deny(ReadOnlyRegistry, "the registry is read-only")
	}
	if q.a == Push && q.policy.PushesDisabled {
		return q.deny(PushesOff, "pushes are disabled")
	}
	return Granted
}

func (q *question) concernsNamespace() bool {
	switch q.a {
	case ReadAccount, AdministerAccount, CreateOwnRobot, CreateOrganization, Superuse, InspectRegistry, InspectCredentials:
		return false
	}
	return true
}

// right is what the principal's rights and the repository's state say.
func (q *question) right() Denial {
	switch q.a {
	case Pull, Push, Administer, ChangeSettings, AdministerContent, InspectRepository:
		return q.onRepository()
	case CreateRepository:
		return q.createRepository()
	case ViewNamespace, AdministerNamespace, InspectNamespace:
		return q.onNamespace()
	case ReadAccount, AdministerAccount, CreateOwnRobot:
		return q.onAccount()
	case CreateOrganization:
		return q.createOrganization()
	case Superuse, InspectRegistry, InspectCredentials:
		return q.onRegistry()
	}
	return q.deny(NoRight, "unknown action %d", q.a)
}

// user reports whether the principal acts as a user: not as a robot, nobody, or a repository's token.
func (q *question) user() bool { return q.p.Account.Kind == identity.User && q.p.Account.ID != 0 }

// scoped reports whether the principal's credential covers a scope; only OAuth tokens are limited.
func (q *question) scoped(want identity.Scopes) bool {
	if q.p.Credential != identity.OAuthToken || q.p.Scopes.Has(want) {
		return true
	}
	q.because("the OAuth token lacks the scope %s", want)
	return false
}

func (q *question) superUser() bool {
	return q.policy.SuperUsersEnabled && q.user() && slices.Contains(q.policy.SuperUsers, q.p.Account.Name)
}

// fullSuperUser is a super user who passes every check of rights on namespaces and repositories. An OAuth token needs
// the scope super:user for that, besides the scope of the action.
func (q *question) fullSuperUser() bool {
	return q.policy.SuperUsersFullAccess && q.superUser() && (q.p.Credential != identity.OAuthToken || q.p.Scopes.Has(identity.ScopeSuperUser))
}

func (q *question) readOnlySuperUser() bool {
	return q.user() && slices.Contains(q.policy.ReadOnlySuperUsers, q.p.Account.Name)
}

// restricted reports whether the principal is a restricted user, or the robot of one.
func (q *question) restricted() bool {
	name, _, _ := strings.Cut(q.p.Account.Name, "+")
	return q.policy.RestrictedUsers && !slices.Contains(q.policy.RestrictedWhitelist, name) && !q.fullSuperUser()
}

// inOwnNamespace reports whether the object lies in the user namespace of the principal, or of the robot's owner.
func (q *question) inOwnNamespace() bool {
	id := q.p.Account.ID
	if q.p.Account.Kind == identity.Robot {
		id = q.p.Account.OwnerID
	}
	return q.o.NamespaceKind == identity.User && q.o.NamespaceID != 0 && id == q.o.NamespaceID
}

func (q *question) onAccount() Denial {
	want := identity.ScopeUserRead
	if q.a.Changes() {
		want = identity.ScopeUserAdmin
	}
	switch {
	case !q.user():
		return q.deny(NoRight, "only users have an account of their own")
	case !q.scoped(want):
		return NoRight
	case q.a == CreateOwnRobot && q.restricted():
		return q.deny(NoRight, "%s is a restricted user: no own robots", q.p.Account.Name)
	}
	q.because("%s's own account", q.p.Account.Name)
	return Granted
}

func (q *question) onRegistry() Denial {
	if !q.scoped(identity.ScopeSuperUser) {
		return NoRight
	}
	switch {
	case !q.policy.SuperUsersEnabled:
		return q.deny(NoRight, "super users are switched off")
	case q.superUser() && (q.a != InspectCredentials || q.policy.SuperUsersFullAccess):
		q.because("%s is a super user", q.p.Account.Name)
		return Granted
	case q.readOnlySuperUser() && !q.a.Changes():
		q.because("%s is a read-only super user", q.p.Account.Name)
		return Granted
	}
	return q.deny(NoRight, "not a super user")
}
