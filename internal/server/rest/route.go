package rest

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
)

// route is one operation of the API. Router, OpenAPI document, metrics label and the permission test come from it.
type route struct {
	Method  string
	Path    string // Quay's notation, see pattern
	ID      string // operation id: Quay's nickname where it has one
	Summary string
	Status  int   // of success; 0: 200 with a body, 204 without
	Need    need  // what the caller must be allowed to do; the zero value does not pass New
	MaxBody int64 // bytes of the request body; 0: defaultMaxBody

	Off        int  // the status that answers in its place because its feature is switched off; 0: on
	Anonymous  bool // answers anonymous callers even without FEATURE_ANONYMOUS_ACCESS
	FreshLogin bool // a session must have entered its password lately
	NoCSRF     bool // changes state without a CSRF token
	Direct     bool // so does a program that shows a user's password, for applications that the configuration names
	ReadOnlyOK bool // changes nothing that a read-only registry protects
	Browser    bool // browsers may fetch it without X-Requested-With
	Images     bool // does not stand on application repositories
	Aborts     bool // who lacks the right is answered {"error": …} instead of a problem object
	Form       bool // takes a form (application/x-www-form-urlencoded); its _csrf_token counts
	Basic      bool // a user's name and password by HTTP Basic count
	Long       bool // the answer may be long: it is built when there is room for it
	Messages   bool // a bad request is answered {"message": …} instead of a problem object

	Handler registrar

	op    *huma.Operation // set by Handle
	flaw  error           // what is wrong with Handler, set by it
	serve func(*exchange)
}

const (
	// defaultMaxBody is the limit of a request body in bytes.
	defaultMaxBody = 1 << 20
	// smallBody is the limit of names and passwords, and of whatever somebody sends who has not signed in.
	smallBody = 16 << 10
)

// target is the kind of object that a permission is about.
type target uint8

const (
	onNothing      target = iota + 1 // everybody may; the handler shows each caller their part
	onAccount                        // the caller's own account
	onOrganization                   // {orgname}
	onRepository                     // {repository}
	onNamespace                      // the namespace that the body names, else the caller's own
	onRegistry                       // the registry itself: the superuser panel
	onFirstRun                       // the registry itself; while it has no user, everybody may
)

// need is the permission of a route: the action, the object, and the OAuth scope a token must carry.
type need struct {
	on     target
	action access.Action
	scope  identity.Scopes
}

func everybody() need { return need{on: onNothing} }

func account(a access.Action, s identity.Scopes) need { return need{onAccount, a, s} }

func organization(a access.Action) need {
	return need{onOrganization, a, identity.ScopeOrgAdmin}
}

func repository(a access.Action, s identity.Scopes) need { return need{onRepository, a, s} }

// superusers is for changes of the superuser panel, inspectors for what it shows, which read-only superusers also see.
func superusers() need { return need{onRegistry, access.Superuse, identity.ScopeSuperUser} }

func inspectors() need { return need{onRegistry, access.InspectRegistry, identity.ScopeSuperUser} }

// security documents the need: the scope that a token must carry, or a session.
func (n need) security() []map[string][]string {
	if n.on == onNothing {
		return nil
	}
	return []map[string][]string{{schemeBearer: {n.scope.String()}}, {schemeSession: {}}}
}

// bodyFirst reports whether the body's schema is checked before the permission. Quay does so on organizations and in the
// superuser panel; on repositories and the own account a caller without rights is refused whatever the body.
func (n need) bodyFirst() bool {
	return n.on == onOrganization || n.on == onNamespace || n.on == onRegistry
}

// check refuses a row that would open a door by an omission.
func (r *route) check() error {
	switch {
	case r.Need.on == 0:
		return fmt.Errorf("route %s %s has no permission", r.Method, r.Path)
	case r.Need.on == onRepository && !strings.Contains(r.Path, "{repository}"),
		r.Need.on == onOrganization && !strings.Contains(r.Path, "{orgname}"):
		return fmt.Errorf("route %s %s needs an object that its path does not name", r.Method, r.Path)
	case r.Need.on != onNothing && r.Need.scope == 0:
		return fmt.Errorf("route %s %s has no OAuth scope", r.Method, r.Path)
	case r.Need.on != onNothing && r.changes() && !r.Need.action.Changes():
		return fmt.Errorf("route %s %s changes something and asks for the right to %s", r.Method, r.Path, r.Need.action)
	case r.Long && r.changes():
		return fmt.Errorf("route %s %s may have to wait for room, or be refused, after it has changed something", r.Method, r.Path)
	case r.Handler == nil || r.ID == "" || r.Summary == "":
		return fmt.Errorf("route %s %s is incomplete", r.Method, r.Path)
	}
	return nil
}

// maxBody is the row's limit of the request body in bytes.
func (r *route) maxBody() int64 {
	if r.MaxBody > 0 {
		return r.MaxBody
	}
	return defaultMaxBody
}

// changes reports whether the route may change something.
func (r *route) changes() bool { return r.Method != http.MethodGet }

func (r *route) operation() huma.Operation {
	return huma.Operation{
		OperationID:     r.ID,
		Method:          r.Method,
		Path:            r.Path,
		Summary:         r.Summary,
		Parameters:      parsePattern(r.Path).parameters(),
		Security:        r.Need.security(),
		Hidden:          r.Off != 0,
		DefaultStatus:   r.Status,
		MaxBodyBytes:    -1, // the exchange has read and bounded the body before huma sees it
		BodyReadTimeout: -1, // the listener bounds stalls
		Responses:       map[string]*huma.Response{"default": {Ref: "#/components/responses/" + problemName}},
	}
}
