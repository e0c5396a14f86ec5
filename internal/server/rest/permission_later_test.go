package rest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// The kinds of permission that operations of later features have, by hand from rest-api.md.
var laterKinds = map[string]permitted{
	"reader":        {own: readers, missing: "alice tina auditor repo:read repo:write repo:admin", foreign: "auditor"},
	"writer":        {own: writers, missing: "alice tina repo:write repo:admin"},
	"repo-admin":    {own: admins, missing: "alice tina repo:admin"},
	"repo-viewer":   {own: viewers, missing: "alice tina auditor repo:admin", foreign: "auditor"},
	"member":        {own: "bob carol auditor " + owner, missing: "auditor", foreign: "auditor"},
	"org-admin":     {own: owner},
	"org-viewer":    {own: "auditor " + owner, missing: "auditor", foreign: "auditor"},
	"creator":       {own: "carol alice tina repo:create"},
	"account":       {own: accounts},
	"account-read":  {own: accounts + " user:read"},
	"superuser":     {own: panel, missing: panel, foreign: panel},
	"superuser-get": {own: viewing, missing: viewing, foreign: viewing},
	"anybody":       {own: anyone, missing: anyone, foreign: anyone},
}

// laterTable is the permission of every operation of a later feature: kind, operation, path.
const laterTable = `
reader        getRepoBuilds                     /api/v1/repository/{repo}/build/
writer        requestRepoBuild                  /api/v1/repository/{repo}/build/
reader        getRepoBuild                      /api/v1/repository/{repo}/build/u
repo-admin    cancelRepoBuild                   /api/v1/repository/{repo}/build/u
reader        getRepoBuildStatus                /api/v1/repository/{repo}/build/u/status
writer        getRepoBuildLogs                  /api/v1/repository/{repo}/build/u/logs
account       getFiledropUrl                    /api/v1/filedrop/
superuser-get getRepoBuildLogsSuperUser         /api/v1/superuser/u/logs
superuser-get getRepoBuildStatusSuperUser       /api/v1/superuser/u/status
superuser-get getRepoBuildSuperUser             /api/v1/superuser/u/build
superuser-get getRepoBuildLogsArchiveSuperUser  /api/v1/superuser/u/logs/archive
anybody       getBuildLogFile                   /buildlogs/u
anybody       getArchivedBuildLog               /logarchive/u
repo-viewer   listBuildTriggers                 /api/v1/repository/{repo}/trigger/
repo-viewer   getBuildTrigger                   /api/v1/repository/{repo}/trigger/u
repo-admin    updateBuildTrigger                /api/v1/repository/{repo}/trigger/u
repo-admin    deleteBuildTrigger                /api/v1/repository/{repo}/trigger/u
repo-admin    activateBuildTrigger              /api/v1/repository/{repo}/trigger/u/activate
repo-admin    manuallyStartBuildTrigger         /api/v1/repository/{repo}/trigger/u/start
repo-viewer   listTriggerRecentBuilds           /api/v1/repository/{repo}/trigger/u/builds
repo-admin    listBuildTriggerSubdirs           /api/v1/repository/{repo}/trigger/u/subdir
repo-admin    analyzeBuildTrigger               /api/v1/repository/{repo}/trigger/u/analyze
repo-admin    listTriggerFieldValues            /api/v1/repository/{repo}/trigger/u/fields/refs
repo-viewer   listTriggerBuildSourceNamespaces  /api/v1/repository/{repo}/trigger/u/namespaces
repo-admin    listTriggerBuildSources           /api/v1/repository/{repo}/trigger/u/sources
repo-viewer   setupCustomTrigger                /customtrigger/setup/{repo}
repo-viewer   setupBitbucketTrigger             /bitbucket/setup/{repo}
repo-viewer   githubTriggerCallback             /oauth2/github/callback/trigger/{repo}
anybody       gitlabTriggerCallback             /oauth2/gitlab/callback/trigger
anybody       bitbucketTriggerCallback          /oauth1/bitbucket/callback/trigger/u
anybody       buildTriggerWebhook               /webhooks/push/trigger/u
anybody       repositoryBuildTriggerWebhook     /webhooks/push/{repo}/trigger/u

reader        getRepoManifestSecurity           /api/v1/repository/{repo}/manifest/sha256:0/security
reader        getRepoImageSecurity              /api/v1/repository/{repo}/image/0/security
anybody       secscanNotification               /secscan/notification
anybody       secscanBackfillStatus             /secscan/_backfill_status

repo-viewer   getRepoMirrorConfig               /api/v1/repository/{repo}/mirror
repo-admin    createRepoMirrorConfig            /api/v1/repository/{repo}/mirror
repo-admin    changeRepoMirrorConfig            /api/v1/repository/{repo}/mirror
repo-admin    syncNow                           /api/v1/repository/{repo}/mirror/sync-now
repo-admin    syncCancel                        /api/v1/repository/{repo}/mirror/sync-cancel
account-read  getRepoMirrorHealth               /api/v1/repository/mirror/health
superuser-get getMirrorHealthSuperUser          /api/v1/superuser/mirror/health

repo-viewer   listRepoNotifications                      /api/v1/repository/{repo}/notification/
repo-admin    createRepoNotification                     /api/v1/repository/{repo}/notification/
repo-viewer   getRepoNotification                        /api/v1/repository/{repo}/notification/u
repo-admin    resetRepoNotificationFailures              /api/v1/repository/{repo}/notification/u
repo-admin    deleteRepoNotification                     /api/v1/repository/{repo}/notification/u
repo-admin    testRepoNotification                       /api/v1/repository/{repo}/notification/u/test
org-viewer    listOrganizationNotifications              /api/v1/organization/{org}/notifications
org-admin     createOrganizationNotification             /api/v1/organization/{org}/notifications
org-viewer    getOrganizationNotification                /api/v1/organization/{org}/notifications/u
org-admin     resetOrganizationNotificationFailures      /api/v1/organization/{org}/notifications/u
org-admin     deleteOrganizationNotification             /api/v1/organization/{org}/notifications/u
org-admin     testOrganizationNotification               /api/v1/organization/{org}/notifications/u/test
account       listUserNotifications                      /api/v1/user/namespacenotifications
account       createUserNotification                     /api/v1/user/namespacenotifications
account       getUserNotification                        /api/v1/user/namespacenotifications/u
account       resetUserNotificationFailures              /api/v1/user/namespacenotifications/u
account       deleteUserNotification                     /api/v1/user/namespacenotifications/u
account       testUserNotification                       /api/v1/user/namespacenotifications/u/test

org-viewer    listOrganizationAutoPrunePolicies          /api/v1/organization/{org}/autoprunepolicy/
org-admin     createOrganizationAutoPrunePolicy          /api/v1/organization/{org}/autoprunepolicy/
org-viewer    getOrganizationAutoPrunePolicy             /api/v1/organization/{org}/autoprunepolicy/u
org-admin     updateOrganizationAutoPrunePolicy          /api/v1/organization/{org}/autoprunepolicy/u
org-admin     deleteOrganizationAutoPrunePolicy          /api/v1/organization/{org}/autoprunepolicy/u
repo-viewer   listRepositoryAutoPrunePolicies            /api/v1/repository/{repo}/autoprunepolicy/
repo-admin    createRepositoryAutoPrunePolicy            /api/v1/repository/{repo}/autoprunepolicy/
repo-viewer   getRepositoryAutoPrunePolicy               /api/v1/repository/{repo}/autoprunepolicy/u
repo-admin    updateRepositoryAutoPrunePolicy            /api/v1/repository/{repo}/autoprunepolicy/u
repo-admin    deleteRepositoryAutoPrunePolicy            /api/v1/repository/{repo}/autoprunepolicy/u
account       listUserAutoPrunePolicies                  /api/v1/user/autoprunepolicy/
account       createUserAutoPrunePolicy                  /api/v1/user/autoprunepolicy/
account       getUserAutoPrunePolicy                     /api/v1/user/autoprunepolicy/u
account       updateUserAutoPrunePolicy                  /api/v1/user/autoprunepolicy/u
account       deleteUserAutoPrunePolicy                  /api/v1/user/autoprunepolicy/u
org-viewer    listOrgImmutabilityPolicies                /api/v1/organization/{org}/immutabilitypolicy/
org-admin     createOrgImmutabilityPolicy                /api/v1/organization/{org}/immutabilitypolicy/
org-viewer    getOrgImmutabilityPolicy                   /api/v1/organization/{org}/immutabilitypolicy/u
org-admin     updateOrgImmutabilityPolicy                /api/v1/organization/{org}/immutabilitypolicy/u
org-admin     deleteOrgImmutabilityPolicy                /api/v1/organization/{org}/immutabilitypolicy/u
repo-viewer   listRepositoryImmutabilityPolicies         /api/v1/repository/{repo}/immutabilitypolicy/
repo-admin    createRepositoryImmutabilityPolicy         /api/v1/repository/{repo}/immutabilitypolicy/
repo-viewer   getRepositoryImmutabilityPolicy            /api/v1/repository/{repo}/immutabilitypolicy/u
repo-admin    updateRepositoryImmutabilityPolicy         /api/v1/repository/{repo}/immutabilitypolicy/u
repo-admin    deleteRepositoryImmutabilityPolicy         /api/v1/repository/{repo}/immutabilitypolicy/u

org-viewer    getOrgMirrorConfig          /api/v1/organization/{org}/mirror
org-admin     createOrgMirrorConfig       /api/v1/organization/{org}/mirror
org-admin     updateOrgMirrorConfig       /api/v1/organization/{org}/mirror
org-admin     deleteOrgMirrorConfig       /api/v1/organization/{org}/mirror
org-admin     orgMirrorSyncNow            /api/v1/organization/{org}/mirror/sync-now
org-admin     orgMirrorSyncCancel         /api/v1/organization/{org}/mirror/sync-cancel
org-admin     verifyOrgMirrorConnection   /api/v1/organization/{org}/mirror/verify
org-viewer    listOrgMirrorRepositories   /api/v1/organization/{org}/mirror/repositories

member        listOrganizationQuota         /api/v1/organization/{org}/quota
superuser     createOrganizationQuota       /api/v1/organization/{org}/quota
member        getOrganizationQuota          /api/v1/organization/{org}/quota/1
superuser     changeOrganizationQuota       /api/v1/organization/{org}/quota/1
superuser     deleteOrganizationQuota       /api/v1/organization/{org}/quota/1
member        listOrganizationQuotaLimit    /api/v1/organization/{org}/quota/1/limit
superuser     createOrganizationQuotaLimit  /api/v1/organization/{org}/quota/1/limit
member        getOrganizationQuotaLimit     /api/v1/organization/{org}/quota/1/limit/1
superuser     changeOrganizationQuotaLimit  /api/v1/organization/{org}/quota/1/limit/1
superuser     deleteOrganizationQuotaLimit  /api/v1/organization/{org}/quota/1/limit/1
account-read  listUserQuota                 /api/v1/user/quota
account-read  getUserQuota                  /api/v1/user/quota/1
account-read  listUserQuotaLimit            /api/v1/user/quota/1/limit
account-read  getUserQuotaLimit             /api/v1/user/quota/1/limit/1
superuser-get listUserQuotaSuperUser            /api/v1/superuser/users/alice/quota
superuser     createUserQuotaSuperUser          /api/v1/superuser/users/alice/quota
superuser     changeUserQuotaSuperUser          /api/v1/superuser/users/alice/quota/1
superuser     deleteUserQuotaSuperUser          /api/v1/superuser/users/alice/quota/1
superuser-get listOrganizationQuotaSuperUser    /api/v1/superuser/organization/{org}/quota
superuser     createOrganizationQuotaSuperUser  /api/v1/superuser/organization/{org}/quota
superuser     changeOrganizationQuotaSuperUser  /api/v1/superuser/organization/{org}/quota/1
superuser     deleteOrganizationQuotaSuperUser  /api/v1/superuser/organization/{org}/quota/1

member        getProxyCacheConfig       /api/v1/organization/{org}/proxycache
org-admin     createProxyCacheConfig    /api/v1/organization/{org}/proxycache
org-admin     deleteProxyCacheConfig    /api/v1/organization/{org}/proxycache
org-admin     validateProxyCacheConfig  /api/v1/organization/{org}/validateproxycache

anybody       listPlans               /api/v1/plans/
account       getUserPrivateAllowed          /api/v1/user/private
creator       getOrganizationPrivateAllowed  /api/v1/organization/{org}/private
anybody       getDatabaseRevisionHealth      /health/dbrevision
account       getUserCard             /api/v1/user/card
account       setUserCard             /api/v1/user/card
account       getUserSubscription     /api/v1/user/plan
account       updateUserSubscription  /api/v1/user/plan
account       createUserSubscription  /api/v1/user/plan
account       listUserInvoices        /api/v1/user/invoices
account       listUserInvoiceFields   /api/v1/user/invoice/fields
account       createUserInvoiceField  /api/v1/user/invoice/fields
account       deleteUserInvoiceField  /api/v1/user/invoice/field/u
org-viewer    getOrgCard              /api/v1/organization/{org}/card
org-admin     setOrgCard              /api/v1/organization/{org}/card
org-viewer    getOrgSubscription      /api/v1/organization/{org}/plan
org-admin     updateOrgSubscription   /api/v1/organization/{org}/plan
org-admin     createOrgSubscription   /api/v1/organization/{org}/plan
org-viewer    listOrgInvoices         /api/v1/organization/{org}/invoices
org-viewer    listOrgInvoiceFields    /api/v1/organization/{org}/invoice/fields
org-admin     createOrgInvoiceField   /api/v1/organization/{org}/invoice/fields
org-admin     deleteOrgInvoiceField   /api/v1/organization/{org}/invoice/field/u

account       getUserMarketplaceSubscriptions         /api/v1/user/marketplace
org-viewer    listOrgMarketplaceSubscriptions         /api/v1/organization/{org}/marketplace
org-admin     bindOrgMarketplaceSubscriptions         /api/v1/organization/{org}/marketplace
org-admin     batchRemoveOrgMarketplaceSubscriptions  /api/v1/organization/{org}/marketplace/batchremove
org-admin     removeOrgMarketplaceSubscription        /api/v1/organization/{org}/marketplace/1

anybody       oauthLoginCallback            /oauth2/dex/callback
anybody       oauthLoginCallbackForm        /oauth2/dex/callback
anybody       oauthLoginAttachCallback      /oauth2/dex/callback/attach
anybody       oauthLoginAttachCallbackForm  /oauth2/dex/callback/attach
anybody       oauthLoginCLICallback         /oauth2/dex/callback/cli
anybody       oauthLoginCLICallbackForm     /oauth2/dex/callback/cli
anybody       oauthLoginCaptcha             /oauth2/dex/callback/captcha
anybody       renewBootstrapToken           /api/v1/bootstrap/renew
`

func laterPermissions() []permitted {
	var rows []permitted
	for line := range strings.Lines(laterTable) {
		words := strings.Fields(line)
		if len(words) != 3 {
			continue
		}
		row := laterKinds[words[0]]
		row.id, row.path, row.status = words[1], words[2], http.StatusNotFound
		rows = append(rows, row)
	}
	return rows
}

// TestLaterPermissions walks the table with the rows switched on: whoever may use an operation is told that it is not
// there yet, everybody else gets what the operation will say.
func TestLaterPermissions(t *testing.T) {
	s := &stage{w: newWorld(t, dbtest.Open(t, dbtest.SQLite), withAuditor), clients: map[string]*client{}}
	s.set()
	for _, row := range laterPermissions() {
		route := s.w.api.rows[row.id]
		if route == nil {
			t.Errorf("there is no route %s", row.id)
			continue
		}
		if row.own == "" {
			t.Errorf("%s has a kind of permission that is unknown", row.id)
		}
		route.Off = 0
		for _, caller := range strings.Fields(callers) {
			s.check(t, route, row, caller, "own", "acme", "acme/app")
			if strings.Contains(row.path, "{org}") || strings.Contains(row.path, "{repo}") {
				s.check(t, route, row, caller, "foreign", "other", "other/secret")
				s.check(t, route, row, caller, "missing", "nowhere", "acme/none")
			}
		}
	}
}

// TestLaterFeaturesAnswerAsSwitchedOff asks without a CSRF token and without rights: nothing of the kind comes first.
func TestLaterFeaturesAnswerAsSwitchedOff(t *testing.T) {
	s := &stage{w: newWorld(t, dbtest.Open(t, dbtest.SQLite)), clients: map[string]*client{}}
	s.set()
	callers := []*client{{w: s.w, header: http.Header{}}, s.w.session("alice"), s.w.session("root")}
	fill := strings.NewReplacer("{org}", "acme", "{repo}", "acme/app")
	for _, row := range laterPermissions() {
		route := s.w.api.rows[row.id]
		want, text := http.StatusMethodNotAllowed, `{"error":"The API has no such operation at this path"}`
		if route.Method == http.MethodGet {
			want, text = http.StatusNotFound, `{"error":"There is nothing at this path of the API"}`
		}
		for _, c := range callers {
			if a := c.do(route.Method, fill.Replace(row.path), ""); a.status != want || a.body != text {
				t.Errorf("%s: %d %s, want %d %s", row.id, a.status, a.body, want, text)
			}
		}
	}
}
