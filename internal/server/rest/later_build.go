package rest

import "net/http"

// laterBuilds are FEATURE_BUILD_SUPPORT's (rest-api §17 and, for superusers, §21).
func laterBuilds() []*route {
	const (
		get, post = http.MethodGet, http.MethodPost
		all       = "/api/v1/repository/{repository}/build/"
		one       = all + "{build_uuid}"
		any       = "/api/v1/superuser/{build_uuid}"
	)
	return []*route{
		later(get, all, "getRepoBuilds", "A repository's builds", repositoryReaders()),
		later(post, all, "requestRepoBuild", "Start a build", repositoryWriters()),
		later(get, one, "getRepoBuild", "A build", repositoryReaders()),
		later(http.MethodDelete, one, "cancelRepoBuild", "Cancel a build", repositoryAdmins()),
		later(get, one+"/status", "getRepoBuildStatus", "How far a build is", repositoryReaders()),
		later(get, one+"/logs", "getRepoBuildLogs", "What a build printed", repositoryWriters()),
		later(post, "/api/v1/filedrop/", "getFiledropUrl", "An address to put a build's files at", ownAccount()),
		later(get, any+"/logs", "getRepoBuildLogsSuperUser", "What any build printed", inspectors()).fresh(),
		later(get, any+"/status", "getRepoBuildStatusSuperUser", "How far any build is", inspectors()).fresh(),
		later(get, any+"/build", "getRepoBuildSuperUser", "Any build", inspectors()).fresh(),
		later(get, any+"/logs/archive", "getRepoBuildLogsArchiveSuperUser", "What any build printed, as archived", inspectors()).fresh(),
		later(get, "/buildlogs/{build_uuid}", "getBuildLogFile", "What a build printed, as a file", everybody()),
		later(get, "/logarchive/{file_id}", "getArchivedBuildLog", "What a build printed, as archived", everybody()),
	}
}

// laterTriggers are what starts builds by itself (rest-api §17.1).
func laterTriggers() []*route {
	const (
		get, post = http.MethodGet, http.MethodPost
		all       = "/api/v1/repository/{repository}/trigger/"
		one       = all + "{trigger_uuid}"
	)
	return []*route{
		later(get, all, "listBuildTriggers", "A repository's build triggers", repositoryInspectors()),
		later(get, one, "getBuildTrigger", "A build trigger", repositoryInspectors()),
		later(http.MethodPut, one, "updateBuildTrigger", "Switch a build trigger on or off", repositoryAdmins()),
		later(http.MethodDelete, one, "deleteBuildTrigger", "Delete a build trigger", repositoryAdmins()),
		later(post, one+"/activate", "activateBuildTrigger", "Finish setting up a build trigger", repositoryAdmins()),
		later(post, one+"/start", "manuallyStartBuildTrigger", "Start a trigger's build by hand", repositoryAdmins()),
		later(get, one+"/builds", "listTriggerRecentBuilds", "A trigger's last builds", repositoryInspectors()),
		later(post, one+"/subdir", "listBuildTriggerSubdirs", "Folders with a Dockerfile", repositoryAdmins()),
		later(post, one+"/analyze", "analyzeBuildTrigger", "What a trigger's build would need", repositoryAdmins()),
		later(post, one+"/fields/{field_name}", "listTriggerFieldValues", "Values that a trigger's field can take", repositoryAdmins()),
		later(get, one+"/namespaces", "listTriggerBuildSourceNamespaces", "Namespaces at the code host", repositoryInspectors()),
		later(post, one+"/sources", "listTriggerBuildSources", "Repositories at the code host", repositoryAdmins()),
	}
}

// laterTriggerSetup are the addresses that code hosts and people setting up a trigger come to.
func laterTriggerSetup() []*route {
	const get, post = http.MethodGet, http.MethodPost
	return []*route{
		later(get, "/customtrigger/setup/{repository}", "setupCustomTrigger", "Begin a trigger for any git host", repositoryInspectors()),
		later(get, "/bitbucket/setup/{repository}", "setupBitbucketTrigger", "Begin a trigger for Bitbucket", repositoryInspectors()),
		later(get, "/oauth2/github/callback/trigger/{repository}", "githubTriggerCallback", "GitHub's answer while a trigger is set up", repositoryInspectors()),
		later(get, "/oauth2/gitlab/callback/trigger", "gitlabTriggerCallback", "GitLab's answer while a trigger is set up", everybody()),
		later(get, "/oauth1/bitbucket/callback/trigger/{trigger_uuid}", "bitbucketTriggerCallback", "Bitbucket's answer while a trigger is set up", everybody()),
		later(post, "/webhooks/push/trigger/{trigger_uuid}", "buildTriggerWebhook", "A code host's notice of a push", everybody()),
		later(post, "/webhooks/push/{repository}/trigger/{trigger_uuid}", "repositoryBuildTriggerWebhook", "The same, at its older address", everybody()),
	}
}
