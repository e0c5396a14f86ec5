package config

func buildKeys() []Key {
	build := under("FEATURE_BUILD_SUPPORT")
	return []Key{
		accepted("FEATURE_BUILD_SUPPORT", boolean(), "true", "Builds images from Dockerfiles, which takes a build manager; this version builds nothing."),
		warns("FEATURE_GITHUB_BUILD", boolean(), "false", "Builds on pushes to GitHub.", build),
		warns("FEATURE_GITLAB_BUILD", boolean(), "false", "Builds on pushes to GitLab.", build),
		warns("FEATURE_BITBUCKET_BUILD", boolean(), "false", "Builds on pushes to Bitbucket.", build),
		warns("*_TRIGGER_CONFIG", secretMapping(), "", "Application at a code host whose pushes start builds.", build),
		accepted("GITLAB_TRIGGER_KIND", anything(), "", "Written by Quay's configuration tool and read by nothing."),
		warns("BUILD_MANAGER", anything(), "", "What runs builds.", build),
		warns("BUILDMAN_HOSTNAME", text(), "", "Host that builders call.", build),
		warns("FEATURE_READER_BUILD_LOGS", boolean(), "false", "Readers of a repository see its build logs.", build),
		warns("DEFAULT_NAMESPACE_MAXIMUM_BUILD_COUNT", count(), "", "Most builds of a namespace at a time.", build),
		accepted("BILLED_*", anything(), "", "Limits of builds at the hosted service."),
		accepted("THREAT_*", anything(), "", "Limits of builds at the hosted service."),
		accepted("SUCCESSIVE_TRIGGER_FAILURE_DISABLE_THRESHOLD", count(), "100", "Failed builds after which a trigger is switched off; this version builds nothing."),
		accepted("SUCCESSIVE_TRIGGER_INTERNAL_ERROR_DISABLE_THRESHOLD", count(), "5", "Errors after which a trigger is switched off; this version builds nothing."),
	}
}

func consoleKeys() []Key {
	const which = "Chooses between Quay's consoles; this version has none."
	modelcard := "Shows model cards in Quay's console."
	return []Key{
		warns("REGISTRY_TITLE", text(), "", "Title of the console's pages.", harmless("Project Quay", "Quay", "Red Hat Quay"), inQuay("Project Quay")),
		warns("REGISTRY_TITLE_SHORT", text(), "", "Short title of the console's pages.", harmless("Project Quay", "Quay", "Red Hat Quay"), inQuay("Project Quay")),
		warns("BRANDING", mapping(), "", "Pictures and links of the console's pages.", staticIsHarmless()),
		warns("ENTERPRISE_LOGO_URL", text(), "", "Picture at the console's top.", staticIsHarmless()),
		warns("ENTERPRISE_LOGO_URL_DARK", text(), "", "The same on dark ground.", staticIsHarmless()),
		warns("AVATAR_KIND", enum("local", "gravatar"), "local", "Where pictures of users come from."),
		warns("CONTACT_INFO", texts(), "[]", "How to reach the administrators."),
		warns("DOCUMENTATION_ROOT", httpURL(), "", "Where links to the documentation lead."),
		warns("FOOTER_LINKS", openly(), "", "Links at the console's bottom.", since("3.14")),
		accepted("TERMS_OF_SERVICE_URL", text(), "", "A link of the hosted service."),
		accepted("FEATURE_UI_V2", boolean(), "", which),
		accepted("DEFAULT_UI", text(), "", which, since("3.16"), inQuay("react")),
		accepted("DISABLE_ANGULAR_UI", boolean(), "", which),
		accepted("UI_V2_FEEDBACK_FORM", text(), "", which),
		accepted("FEATURE_UI_V2_REPO_SETTINGS", boolean(), "", which),
		accepted("FEATURE_UI_MODELCARD", boolean(), "", modelcard),
		accepted("UI_MODELCARD_*", anything(), "", modelcard),
		accepted("FEATURE_UI_DELAY_AFTER_WRITE", boolean(), "", "Quay's console waits after changes; a change is visible at once here."),
		accepted("UI_DELAY_AFTER_WRITE_SECONDS", openly(), "", "Quay's console waits after changes; a change is visible at once here."),
	}
}
