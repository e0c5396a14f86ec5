package rest

import (
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
)

// laterBilling are FEATURE_BILLING's (rest-api §24): there is no hosted service, and so no plan.
func laterBilling() []*route {
	get, post := http.MethodGet, http.MethodPost
	all := []*route{
		later(get, "/api/v1/plans/", "listPlans", "The plans that can be paid for", everybody()),
		later(get, "/api/v1/user/private", "getUserPrivateAllowed", "How many private repositories the plan allows", ownAccount()),
		later(get, "/api/v1/organization/{orgname}/private", "getOrganizationPrivateAllowed", "The same of an organization",
			need{onOrganization, access.CreateRepository, identity.ScopeRepoCreate}),
		later(get, "/health/dbrevision", "getDatabaseRevisionHealth", "Whether the hosted service's database is migrated", everybody()),
	}
	for _, payer := range []struct {
		base, name   string
		read, change need
	}{
		{"/api/v1/user", "User", ownAccount(), ownAccount()},
		{"/api/v1/organization/{orgname}", "Org", organizationInspectors(), organizationAdmins()},
	} {
		all = append(all,
			later(get, payer.base+"/card", "get"+payer.name+"Card", "The card that pays", payer.read),
			later(post, payer.base+"/card", "set"+payer.name+"Card", "Change the card", payer.change),
			later(get, payer.base+"/plan", "get"+payer.name+"Subscription", "The plan", payer.read),
			later(http.MethodPut, payer.base+"/plan", "update"+payer.name+"Subscription", "Change the plan", payer.change),
			later(post, payer.base+"/plan", "create"+payer.name+"Subscription", "Choose a plan", payer.change),
			later(get, payer.base+"/invoices", "list"+payer.name+"Invoices", "What was paid", payer.read),
			later(get, payer.base+"/invoice/fields", "list"+payer.name+"InvoiceFields", "What stands on invoices", payer.read),
			later(post, payer.base+"/invoice/fields", "create"+payer.name+"InvoiceField", "Add something to invoices", payer.change),
			later(http.MethodDelete, payer.base+"/invoice/field/{field_uuid}", "delete"+payer.name+"InvoiceField", "Take it off", payer.change),
		)
	}
	return all
}

// laterMarketplace are FEATURE_RH_MARKETPLACE's (rest-api §24).
func laterMarketplace() []*route {
	const org = "/api/v1/organization/{orgname}/marketplace"
	return []*route{
		later(http.MethodGet, "/api/v1/user/marketplace", "getUserMarketplaceSubscriptions", "Subscriptions that were bought elsewhere", ownAccount()),
		later(http.MethodGet, org, "listOrgMarketplaceSubscriptions", "The organization's subscriptions", organizationInspectors()),
		later(http.MethodPost, org, "bindOrgMarketplaceSubscriptions", "Give an organization subscriptions", organizationAdmins()),
		later(http.MethodPost, org+"/batchremove", "batchRemoveOrgMarketplaceSubscriptions", "Take several away", organizationAdmins()),
		later(http.MethodDelete, org+"/{subscription_id}", "removeOrgMarketplaceSubscription", "Take one away", organizationAdmins()),
	}
}
