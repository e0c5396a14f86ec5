package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
)

// laterRoutes are the operations of features that this version lacks. They stand in the table with their permission,
// so that a path belongs to its feature from the first day and not to a repository whose name looks like it, and
// answer as a Quay does on which the feature is switched off.
func (a *API) laterRoutes() []*route {
	var all []*route
	for _, feature := range [][]*route{
		laterBuilds(), laterTriggers(), laterTriggerSetup(), laterScans(), laterMirrors(), laterNotifications(), laterPolicies(), laterOrganizationMirrors(),
		laterQuotas(), laterProxyCache(), laterBilling(), laterMarketplace(), laterLogins(), laterBootstrap(),
	} {
		all = append(all, feature...)
	}
	for _, r := range all {
		r.switchOff()
	}
	return all
}

// switchOff makes a row answer as an operation of a feature that is switched off: like a path that nobody registered.
func (r *route) switchOff() {
	r.Off = http.StatusMethodNotAllowed
	if r.Method == http.MethodGet {
		r.Off = http.StatusNotFound
	}
}

// later is the row of an operation that comes with its feature.
func later(method, path, id, summary string, n need) *route {
	return &route{Method: method, Path: path, ID: id, Summary: summary, Need: n, Handler: handle(unbuilt)}
}

// fresh makes a row demand a password that was entered lately.
func (r *route) fresh() *route {
	r.FreshLogin = true
	return r
}

// unbuilt is behind every row of laterRoutes; no request gets there while the row is off.
func unbuilt(_ context.Context, c *Call, _ *struct{}) (*none, error) {
	return nil, abort(http.StatusNotFound, "This operation comes with a later version")
}

// The permissions that rows of later features share.

func repositoryReaders() need { return repository(access.Pull, identity.ScopeRepoRead) }

func repositoryWriters() need { return repository(access.Push, identity.ScopeRepoWrite) }

// repositoryAdmins is for changes, repositoryInspectors for what shows the same.
func repositoryAdmins() need { return repository(access.Administer, identity.ScopeRepoAdmin) }

func repositoryInspectors() need {
	return repository(access.InspectRepository, identity.ScopeRepoAdmin)
}

func organizationAdmins() need { return organization(access.AdministerNamespace) }

func organizationInspectors() need { return organization(access.InspectNamespace) }

func organizationMembers() need { return organization(access.ViewNamespace) }

func ownAccount() need { return account(access.AdministerAccount, identity.ScopeUserAdmin) }
