package access

import "github.com/longshore-registry/longshore/internal/identity"

func (q *question) onNamespace() Denial {
	switch {
	case q.o.NamespaceID == 0:
		return q.missingNamespace()
	case q.p.Account.ID == 0:
		return q.deny(NoRight, "nobody is signed in")
	case !q.inNamespace():
		return q.deny(NoRight, "%s may not %s %s", q.p.Account.Name, q.a, q.o.Namespace)
	case !q.scoped(identity.ScopeOrgAdmin):
		return NoRight
	}
	return Granted
}

// missingNamespace tells that there is nothing to those alone who may do the action in every namespace: to others a
// missing one looks like somebody else's.
func (q *question) missingNamespace() Denial {
	everywhere := q.fullSuperUser() || q.readOnlySuperUser() && !q.a.Changes()
	if everywhere && !q.scoped(identity.ScopeOrgAdmin) {
		return NoRight
	}
	if everywhere {
		return q.deny(Missing, "the namespace does not exist")
	}
	return q.deny(NoRight, "the namespace does not exist")
}

// inNamespace reports whether the principal's place in the namespace allows the action.
func (q *question) inNamespace() bool {
	switch {
	case q.f.Owner:
		q.because("%s owns the namespace", q.p.Account.Name)
	case q.f.TeamRole == TeamAdmin:
		q.because("team %s administers %s", q.f.Team, q.o.Namespace)
	case q.a == ViewNamespace && q.f.TeamRole != 0:
		q.because("%s is a member of team %s", q.p.Account.Name, q.f.Team)
	case q.fullSuperUser():
		q.because("%s is a super user with full access", q.p.Account.Name)
	case q.readOnlySuperUser() && !q.a.Changes():
		q.because("%s is a read-only super user", q.p.Account.Name)
	default:
		return false
	}
	return true
}

func (q *question) createRepository() Denial {
	switch {
	case q.p.Account.ID == 0:
		return q.deny(NoRight, "nobody is signed in")
	case !q.scoped(identity.ScopeRepoCreate):
		return NoRight
	case q.o.NamespaceID == 0:
		return q.createWithNamespace()
	case q.inOwnNamespace() && q.restricted():
		return q.deny(NoRight, "%s is a restricted user: no content in the own namespace", q.p.Account.Name)
	}
	switch {
	case q.f.Owner:
		q.because("%s owns the namespace", q.p.Account.Name)
	case q.f.TeamRole == TeamAdmin || q.f.TeamRole == TeamCreator:
		q.because("team %s may create repositories in %s", q.f.Team, q.o.Namespace)
	case q.fullSuperUser():
		q.because("%s is a super user with full access", q.p.Account.Name)
	default:
		return q.deny(NoRight, "%s may not create repositories in %s", q.p.Account.Name, q.o.Namespace)
	}
	return Granted
}

// createWithNamespace is a push that makes the organization too: CREATE_NAMESPACE_ON_PUSH.
func (q *question) createWithNamespace() Denial {
	if !q.policy.CreateNamespaceOnPush {
		return q.deny(NoRight, "namespace %s does not exist, and CREATE_NAMESPACE_ON_PUSH is off", q.o.Namespace)
	}
	return q.mayFoundOrganization()
}

func (q *question) createOrganization() Denial {
	if !q.scoped(identity.ScopeUserAdmin) {
		return NoRight
	}
	return q.mayFoundOrganization()
}

func (q *question) mayFoundOrganization() Denial {
	switch {
	case !q.user():
		return q.deny(NoRight, "only users create organizations")
	case q.policy.SuperUsersCreateOrgs && !q.superUser():
		return q.deny(NoRight, "only super users create organizations here")
	case q.restricted():
		return q.deny(NoRight, "%s is a restricted user", q.p.Account.Name)
	}
	q.because("%s is a user", q.p.Account.Name)
	return Granted
}
