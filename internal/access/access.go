// Package access decides who may do what, by one function that can explain itself.
//
// Decide is pure: it looks at the principal, the object with its state, and the facts that were loaded for the two.
// Authority loads the facts, keeps them for at most Options.Age, and keeps the permission tables. Every question of
// permission in the program ends here, so that no path forgets a switch.
package access

import (
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// Role is what a permission grants on a repository. The stored values are Quay's and descend.
type Role uint8

// The roles. NoRole is not stored.
const (
	NoRole Role = 0
	Admin  Role = 1
	Write  Role = 2
	Read   Role = 3
)

// Includes reports whether r grants at least what other grants.
func (r Role) Includes(other Role) bool { return r != NoRole && r <= other }

// String gives the role's name in the API; NoRole has none.
func (r Role) String() string {
	switch r {
	case Admin:
		return "admin"
	case Write:
		return "write"
	case Read:
		return "read"
	}
	return "none"
}

// ParseRole is the inverse of String for the roles that are stored.
func ParseRole(name string) (Role, error) {
	for _, r := range []Role{Admin, Write, Read} {
		if r.String() == name {
			return r, nil
		}
	}
	return NoRole, problem.New(problem.Invalid, "Unknown role %q; known are read, write and admin", name)
}

// TeamRole is what a team grants on its organization.
type TeamRole = identity.TeamRole

// The team roles.
const (
	TeamAdmin   = identity.TeamAdmin
	TeamCreator = identity.TeamCreator
	TeamMember  = identity.TeamMember
)

// Action is what somebody wants to do.
type Action uint8

// The actions on a repository, on a namespace, and on the registry. Those that change something are refused while the
// registry is read-only, so that a route that only reads asks for one of the reading actions.
const (
	Pull                Action = iota // read content and settings
	Push                              // write content: blobs, manifests, tags, labels; needs a normal repository state
	Administer                        // permissions, visibility, state, deletion: in any state
	ChangeSettings                    // description: write, in any state
	CreateRepository                  // in the namespace, or with a namespace that does not exist yet
	ViewNamespace                     // members' view of an organization
	AdministerNamespace               // teams, robots, settings, deletion
	ReadAccount                       // own account
	AdministerAccount                 // own account: password, tokens, robots
	CreateOrganization                //
	Superuse                          // superuser panel: changes
	AdministerContent                 // "*" in a registry token: Administer in a normal repository state
	InspectRepository                 // read what Administer changes
	InspectNamespace                  // read what AdministerNamespace changes
	InspectRegistry                   // superuser panel: reading
	CreateOwnRobot                    // a robot of the own account
	InspectCredentials                // superuser panel: reading what others sign in with
)

// String names the action in reasons and logs.
func (a Action) String() string {
	names := [...]string{
		"pull", "push", "administer the repository", "change its settings", "create a repository", "view the namespace",
		"administer the namespace", "read the account", "administer the account", "create an organization",
		"administer the registry", "administer the content", "inspect the repository", "inspect the namespace",
		"inspect the registry", "create an own robot", "inspect others' credentials",
	}
	if int(a) < len(names) {
		return names[a]
	}
	return "an unknown action"
}

// Changes reports whether the action changes something.
func (a Action) Changes() bool {
	switch a {
	case Pull, ViewNamespace, ReadAccount, InspectRepository, InspectNamespace, InspectRegistry, InspectCredentials:
		return false
	}
	return true
}

// State is a repository's state. The stored values are Quay's.
type State uint8

// The states.
const (
	Normal             State = 0
	ReadOnlyState      State = 1
	Mirror             State = 2
	MarkedForDeletion  State = 3
	OrganizationMirror State = 4
)

// String gives the state's name in the API.
func (s State) String() string {
	switch s {
	case ReadOnlyState:
		return "READ_ONLY"
	case Mirror:
		return "MIRROR"
	case MarkedForDeletion:
		return "MARKED_FOR_DELETION"
	case OrganizationMirror:
		return "ORG_MIRROR"
	}
	return "NORMAL"
}

// Object is what an action is about: a repository, or a namespace when RepositoryID is 0 and Name is empty.
type Object struct {
	NamespaceID      int64 // 0: the namespace does not exist
	Namespace        string
	NamespaceKind    identity.Kind
	NamespaceEnabled bool
	RepositoryID     int64 // 0 with a Name: the repository does not exist
	Name             string
	Public           bool
	State            State
	MirrorRobotID    int64 // the only pusher of a mirrored repository
	Application      bool  // an app-registry repository: no image operation applies
}

// Facts is what the tables say about a principal and an object.
type Facts struct {
	Owner      bool     // the namespace is the principal's own
	TeamRole   TeamRole // best role in the organization, 0 not a member
	Team       string   // the team that gave TeamRole
	Direct     Role     // permission of the account on the repository
	ByTeam     Role     // best permission of one of its teams on the repository
	ByTeamName string   // that team
}

// Denial is the kind of reason for which something is refused, for the answer's status. What the principal may do is
// asked before what the state allows, so that a state is told only to who has the right; a disabled namespace comes
// before both, as in Quay.
type Denial uint8

// The denials. ReadOnlyRegistry and PushesOff mean that the principal would be allowed otherwise: a registry token may
// grant the action, since the write routes refuse by themselves and then with the right words.
const (
	Granted               Denial = iota
	NoRight                      // 401 when anonymous, else 403; on /v2 always 401
	NamespaceDisabled            // the namespace exists and is disabled
	ReadOnlyRegistry             // REGISTRY_STATE: readonly
	PushesOff                    // DISABLE_PUSHES
	RepositoryState              // read-only, or a mirror and somebody else's
	ApplicationRepository        // no image operation applies
	Missing                      // the repository or namespace does not exist, and the principal may know
)

// Decision is an answer with its reasons, in the order they were considered.
type Decision struct {
	Allowed bool
	Denial  Denial // Granted exactly when Allowed
	Reasons []string
}

// Policy is what the configuration says about permissions.
type Policy struct {
	AnonymousAccess       bool     // FEATURE_ANONYMOUS_ACCESS
	SuperUsers            []string // SUPER_USERS, or the first user
	SuperUsersEnabled     bool     // FEATURE_SUPER_USERS
	SuperUsersFullAccess  bool     // FEATURE_SUPERUSERS_FULL_ACCESS
	SuperUsersCreateOrgs  bool     // FEATURE_SUPERUSERS_ORG_CREATION_ONLY: nobody else creates organizations
	ReadOnlySuperUsers    []string // GLOBAL_READONLY_SUPER_USERS
	RestrictedUsers       bool     // FEATURE_RESTRICTED_USERS
	RestrictedWhitelist   []string // RESTRICTED_USERS_WHITELIST: users whom RestrictedUsers does not concern
	CreateNamespaceOnPush bool     // CREATE_NAMESPACE_ON_PUSH
	RegistryReadOnly      bool     // REGISTRY_STATE: readonly
	PushesDisabled        bool     // DISABLE_PUSHES
}
