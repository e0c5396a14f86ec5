package access

import "github.com/longshore-registry/longshore/internal/identity"

// needs is the role and the OAuth scope that an action on a repository asks for.
func needs(a Action) (Role, identity.Scopes) {
	switch a {
	case Pull:
		return Read, identity.ScopeRepoRead
	case Push, ChangeSettings:
		return Write, identity.ScopeRepoWrite
	default:
		return Admin, identity.ScopeRepoAdmin
	}
}

func (q *question) onRepository() Denial {
	need, scope := needs(q.a)
	if !q.mayOnRepository(need, scope) {
		return NoRight
	}
	if q.o.State == MarkedForDeletion {
		return q.deny(Missing, "the repository is deleted")
	}
	if q.o.RepositoryID == 0 && q.a != Pull {
		return q.deny(Missing, "the repository does not exist")
	}
	if q.o.Application && (q.a == Pull || q.a == Push || q.a == AdministerContent) {
		return q.deny(ApplicationRepository, "an application repository holds no images")
	}
	return q.inState()
}

func (q *question) mayOnRepository(need Role, scope identity.Scopes) bool {
	if q.a == Pull && q.public() {
		return true
	}
	if q.p.IsAnonymous() {
		q.because("nobody is signed in")
		return false
	}
	role := q.role()
	if !role.Includes(need) {
		q.because("to %s needs %s", q.a, need)
		return false
	}
	if q.a == Push && q.inOwnNamespace() && q.restricted() {
		if q.discreet {
			q.because("%s may not push into the own namespace", q.p.Account.Name)
			return false
		}
		q.because("%s is a restricted user: no content in the own namespace", q.p.Account.Name)
		return false
	}
	return q.scoped(scope)
}

// public reports whether everyone may pull. A scope does not take that away.
func (q *question) public() bool {
	if !q.o.Public || q.o.RepositoryID == 0 {
		return false
	}
	if q.p.IsAnonymous() && !q.policy.AnonymousAccess {
		q.because("the repository is public, but anonymous access is switched off")
		return false
	}
	q.because("the repository is public")
	return true
}

// role is the best role that the principal has on the repository, with its reason.
func (q *question) role() Role {
	if q.p.Credential == identity.AccessToken {
		return q.tokenRole()
	}
	best := NoRole
	better := func(r Role, format string, args ...any) {
		if r != NoRole && !best.Includes(r) {
			best = r
			q.because(format, args...)
		}
	}
	inside := func(r Role, format string, args ...any) {
		if q.discreet {
			format, args = "%s has a role that is not from the repository's own list: %s", []any{q.p.Account.Name, r}
		}
		better(r, format, args...)
	}
	if q.f.Owner {
		better(Admin, "%s owns the namespace: admin", q.p.Account.Name)
	}
	if q.f.TeamRole == TeamAdmin {
		inside(Admin, "team %s administers %s: admin", q.f.Team, q.o.Namespace)
	}
	better(q.f.Direct, "%s has a permission on the repository: %s", q.p.Account.Name, q.f.Direct)
	if q.discreet {
		better(q.f.ByTeam, "%s has a permission on the repository by a team: %s", q.p.Account.Name, q.f.ByTeam)
	} else {
		better(q.f.ByTeam, "team %s has a permission on the repository: %s", q.f.ByTeamName, q.f.ByTeam)
	}
	if q.fullSuperUser() {
		inside(Admin, "%s is a super user with full access: admin", q.p.Account.Name)
	}
	if q.readOnlySuperUser() && (q.a == Pull || q.a == InspectRepository) {
		inside(readOnlyRole(q.a), "%s is a read-only super user", q.p.Account.Name)
	}
	if best == NoRole {
		q.because("%s has no role on %s/%s", q.p.Account.Name, q.o.Namespace, q.o.Name)
	}
	return best
}

// readOnlyRole is what a read-only super user counts as for an action that only reads.
func readOnlyRole(a Action) Role {
	if a == InspectRepository {
		return Admin
	}
	return Read
}

// tokenRole is what one of Quay's repository tokens grants: its role on its repository, nothing elsewhere.
func (q *question) tokenRole() Role {
	if q.p.RepositoryID == 0 || q.p.RepositoryID != q.o.RepositoryID {
		q.because("the access token belongs to another repository")
		return NoRole
	}
	role := Role(q.p.RepositoryRole)
	q.because("the access token grants %s", role)
	return role
}

// inState is what the repository's state says to who has the right.
func (q *question) inState() Denial {
	if q.a != Push && q.a != AdministerContent {
		return Granted
	}
	switch q.o.State {
	case Normal:
		return Granted
	case ReadOnlyState:
		return q.deny(RepositoryState, "the repository is read-only")
	case Mirror, OrganizationMirror:
		return q.inMirror()
	}
	return q.deny(RepositoryState, "the repository is in a state (%d) that this version does not know", q.o.State)
}

func (q *question) inMirror() Denial {
	robot := q.p.Credential == identity.RobotToken && q.p.Account.ID != 0 && q.p.Account.ID == q.o.MirrorRobotID
	if q.a == Push && robot {
		q.because("%s mirrors into the repository", q.p.Account.Name)
		return Granted
	}
	return q.deny(RepositoryState, "the repository is a mirror: only its robot pushes")
}
