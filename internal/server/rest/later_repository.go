package rest

import (
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
)

// laterScans are FEATURE_SECURITY_SCANNER's (rest-api §14).
func laterScans() []*route {
	return []*route{
		later(http.MethodGet, "/api/v1/repository/{repository}/manifest/{manifestref}/security", "getRepoManifestSecurity", "What a scan of the manifest found", repositoryReaders()),
		later(http.MethodGet, "/api/v1/repository/{repository}/image/{imageid}/security", "getRepoImageSecurity", "What a scan of the image found", repositoryReaders()),
		later(http.MethodPost, "/secscan/notification", "secscanNotification", "The scanner's notice of new findings", everybody()),
		later(http.MethodGet, "/secscan/_backfill_status", "secscanBackfillStatus", "How much was scanned", everybody()),
	}
}

// laterMirrors are FEATURE_REPO_MIRROR's (rest-api §16).
func laterMirrors() []*route {
	const one = "/api/v1/repository/{repository}/mirror"
	return []*route{
		later(http.MethodGet, one, "getRepoMirrorConfig", "How a repository is mirrored", repositoryInspectors()),
		later(http.MethodPost, one, "createRepoMirrorConfig", "Begin to mirror", repositoryAdmins()),
		later(http.MethodPut, one, "changeRepoMirrorConfig", "Change how a repository is mirrored", repositoryAdmins()),
		later(http.MethodPost, one+"/sync-now", "syncNow", "Mirror now", repositoryAdmins()),
		later(http.MethodPost, one+"/sync-cancel", "syncCancel", "Stop mirroring for now", repositoryAdmins()),
		later(http.MethodGet, "/api/v1/repository/mirror/health", "getRepoMirrorHealth", "How mirroring goes", account(access.ReadAccount, identity.ScopeUserRead)).fresh(),
		later(http.MethodGet, "/api/v1/superuser/mirror/health", "getMirrorHealthSuperUser", "How mirroring goes everywhere", inspectors()).fresh(),
	}
}

// laterNotifications are what is sent out for a repository (rest-api §15) and, with FEATURE_QUOTA_NOTIFICATIONS, for a
// namespace (§15.3).
func laterNotifications() []*route {
	read, change := repositoryInspectors(), repositoryAdmins()
	all := notificationRoutes("/api/v1/repository/{repository}/notification/", "Repo", read, change)
	all = append(all, notificationRoutes("/api/v1/organization/{orgname}/notifications", "Organization", organizationInspectors(), organizationAdmins())...)
	return append(all, notificationRoutes("/api/v1/user/namespacenotifications", "User", ownAccount(), ownAccount())...)
}

// notificationRoutes are those of one kind of owner. Quay writes one of the paths with a final slash.
func notificationRoutes(all, owner string, read, change need) []*route {
	one := all + "/{uuid}"
	if all[len(all)-1] == '/' {
		one = all + "{uuid}"
	}
	return []*route{
		later(http.MethodGet, all, "list"+owner+"Notifications", "What is sent out", read),
		later(http.MethodPost, all, "create"+owner+"Notification", "Send something out from now on", change),
		later(http.MethodGet, one, "get"+owner+"Notification", "One of what is sent out", read),
		later(http.MethodPost, one, "reset"+owner+"NotificationFailures", "Try again after failures", change),
		later(http.MethodDelete, one, "delete"+owner+"Notification", "Send it out no more", change),
		later(http.MethodPost, one+"/test", "test"+owner+"Notification", "Send a sample", change),
	}
}

// laterPolicies are FEATURE_AUTO_PRUNE's (rest-api §27) and FEATURE_IMMUTABLE_TAGS' (§28).
func laterPolicies() []*route {
	const repo, org, user = "/api/v1/repository/{repository}/", "/api/v1/organization/{orgname}/", "/api/v1/user/"
	const prune, keep = "autoprunepolicy/", "immutabilitypolicy/"
	var all []*route
	for _, p := range []struct {
		base, name   string
		read, change need
	}{
		{org + prune, "OrganizationAutoPrunePolic", organizationInspectors(), organizationAdmins()},
		{repo + prune, "RepositoryAutoPrunePolic", repositoryInspectors(), repositoryAdmins()},
		{user + prune, "UserAutoPrunePolic", ownAccount(), ownAccount()},
		{org + keep, "OrgImmutabilityPolic", organizationInspectors(), organizationAdmins()},
		{repo + keep, "RepositoryImmutabilityPolic", repositoryInspectors(), repositoryAdmins()},
	} {
		one := p.base + "{policy_uuid}"
		all = append(all,
			later(http.MethodGet, p.base, "list"+p.name+"ies", "The policies", p.read),
			later(http.MethodPost, p.base, "create"+p.name+"y", "Add a policy", p.change),
			later(http.MethodGet, one, "get"+p.name+"y", "A policy", p.read),
			later(http.MethodPut, one, "update"+p.name+"y", "Change a policy", p.change),
			later(http.MethodDelete, one, "delete"+p.name+"y", "Delete a policy", p.change),
		)
	}
	return all
}
