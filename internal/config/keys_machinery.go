package config

// machineryKeys steer the inside of Quay's program or its hosted service. None of them changes what clients get here.
func machineryKeys() []Key {
	return concat(frameworkKeys(), hostedKeys(), workerKeys())
}

func frameworkKeys() []Key {
	const web = "A switch of Quay's web framework."
	return []Key{
		accepted("TESTING", boolean(), "", "Set in Quay's own tests."),
		accepted("PROPAGATE_EXCEPTIONS", anything(), "", web),
		accepted("JSONIFY_PRETTYPRINT_REGULAR", anything(), "", web),
		accepted("SEND_FILE_MAX_AGE_DEFAULT", anything(), "", web),
		accepted("APPLICATION_ROOT", anything(), "", web),
		accepted("USE_CDN", anything(), "", "Quay's console loads its parts from elsewhere."),
		accepted("GREENLET_TRACING", anything(), "", "A switch of Quay's Python runtime."),
		accepted("PYROSCOPE_*", anything(), "", "Profiles of Quay's processes; the administrative listener serves ours."),
		accepted("PROFILING_TYPE", anything(), "", "Profiles of Quay's processes; the administrative listener serves ours."),
		accepted("HTTPCLIENT", anything(), "", "A Python object."),
		accepted("DB_TRANSACTION_FACTORY", anything(), "", "A Python object."),
		accepted("LOCAL_OAUTH_HANDLER", openly(), "", "Path of a page that shows an OAuth token."),
		accepted("JWTPROXY_*", anything(), "", "A helper process, removed in Quay 3.8."),
		accepted("CHANNEL_COLORS", openly(), "", "Colours in Quay's console."),
	}
}

func hostedKeys() []Key {
	const hosted = "For the hosted service only."
	var keys []Key
	for _, name := range []string{
		"BILLING_TYPE", "STRIPE_*", "ANALYTICS_TYPE", "MIXPANEL_KEY", "MARKETO_MUNCHKIN_ID", "GOOGLE_ANALYTICS_KEY",
		"GOOGLE_TAGMANAGER_KEY", "EXCEPTION_LOG_TYPE", "SENTRY_*", "CLOUDWATCH_*", "STATIC_SITE_BUCKET", "INTERNAL_OIDC_SERVICE_ID",
		"IP_DATA_API_KEY", "EXPORT_COMPLIANCE_ENDPOINT", "ENTITLEMENT_*", "SPAM_DETECTION_*", "CDN_SPECIFIC_NAMESPACES", "SERVICE_LOG_ACCOUNT_ID",
	} {
		keys = append(keys, accepted(name, anything(), "", hosted))
	}
	for _, name := range []string{"BILLING", "EXPORT_COMPLIANCE", "RH_MARKETPLACE", "ENTITLEMENT_RECONCILIATION", "SPAM_DETECTION"} {
		keys = append(keys, accepted("FEATURE_"+name, boolean(), "", hosted))
	}
	return keys
}

func workerKeys() []Key {
	const queue = "A detail of Quay's queues."
	return []Key{
		accepted("STAGGER_WORKERS", anything(), "", "Quay starts its workers one after the other."),
		accepted("*_QUEUE_NAME", anything(), "", queue),
		accepted("QUEUE_METRICS_TYPE", anything(), "", queue),
		accepted("QUEUE_WORKER_METRICS_REFRESH_SECONDS", anything(), "", queue),
		accepted("QUEUE_CLEANUP_FREQUENCY", anything(), "", queue),
		accepted("FEATURE_REPOSITORY_ACTION_COUNTER", boolean(), "true", "Quay adds up actions for its statistics."),
		accepted("FEATURE_MANIFEST_SIZE_BACKFILL", boolean(), "true", "Quay fills in what older releases did not store."),
		accepted("FEATURE_MANIFEST_SUBJECT_BACKFILL", boolean(), "true", "Quay fills in what older releases did not store."),
		accepted("MANIFEST_BACKFILL_WORKER_FREQUENCY", anything(), "", "Pace of that."),
	}
}
