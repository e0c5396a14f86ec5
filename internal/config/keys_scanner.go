package config

func scannerKeys() []Key {
	scan := under("FEATURE_SECURITY_SCANNER")
	const old = "A setting of Clair 2, removed in Quay 3.9."
	return []Key{
		warns("FEATURE_SECURITY_SCANNER", boolean(), "false", "Looks for known vulnerabilities in images."),
		warns("SECURITY_SCANNER_V4_ENDPOINT", httpURL(), "", "Address of Clair.", scan),
		warns("SECURITY_SCANNER_V4_PSK", secretText(), "", "Key that signs calls to Clair.", scan),
		obsolete("SECURITY_SCANNER_V4_NAMESPACE_WHITELIST", texts(), "[]", "Namespaces that Quay 3.3 let Clair 4 see.", scan),
		warns("FEATURE_SECURITY_NOTIFICATIONS", boolean(), "false", "Tells people of new vulnerabilities.", scan),
		warns("SECURITY_SCANNER_NOTIFICATIONS", boolean(), "", "Tells people of new vulnerabilities; written by Quay's operator.", scan),
		warns("SECURITY_SCANNER_INDEXING_INTERVAL", count(), "30", "Pace of the worker, in seconds.", scan),
		warns("SECURITY_SCANNER_V4_REINDEX_THRESHOLD", count(), "300", "When an image is looked at again, in seconds.", scan),
		warns("FEATURE_SECURITY_SCANNER_NOTIFY_ON_NEW_INDEX", boolean(), "true", "Tells people of vulnerabilities in new images.", since("3.9"), scan),
		warns("NOTIFICATION_MIN_SEVERITY_ON_NEW_INDEX", text(), "High", "Least severity of which they are told.", since("3.12"), scan),
		warns("SECURITY_SCANNER_V4_INDEX_MAX_LAYER_SIZE", text(), "", "Larger layers are not looked at.", since("3.9"), scan),
		warns("SECURITY_SCANNER_V4_MANIFEST_CLEANUP", boolean(), "true", "Clair forgets deleted images.", since("3.10"), scan),
		accepted("SECURITY_SCANNER_MAX_SCAN_RETRIES", anything(), "", "A detail of Quay's scan worker."),
		accepted("SECURITY_SCANNER_V4_BATCH_SIZE", anything(), "", "A detail of Quay's scan worker."),
		accepted("SECURITY_SCANNER_V4_RECENT_*", anything(), "", "A detail of Quay's scan worker."),
		accepted("SECURITY_SCANNER_V4_INDEXING", anything(), "", "A detail of Quay's scan worker."),
		accepted("FEATURE_SECURITY_SCANNER_V2", boolean(), "", "A detail of Quay's scan worker."),
		accepted("SECURITY_SCANNER_V2_*", anything(), "", "A detail of Quay's scan worker."),
		obsolete("SECURITY_SCANNER_ENDPOINT", text(), "", old, scan),
		obsolete("SECURITY_SCANNER_ENDPOINT_BATCH", text(), "", old, scan),
		obsolete("SECURITY_SCANNER_ENGINE_VERSION_TARGET", anything(), "", old, scan),
		obsolete("SECURITY_SCANNER_API_VERSION", anything(), "", old, scan),
		obsolete("SECURITY_SCANNER_API_TIMEOUT_SECONDS", anything(), "", old, scan),
		obsolete("SECURITY_SCANNER_API_TIMEOUT_POST_SECONDS", anything(), "", old, scan),
		obsolete("SECURITY_SCANNER_INDEXING_MIN_ID", anything(), "", old, scan),
		obsolete("SECURITY_SCANNER_READONLY_FAILOVER_ENDPOINTS", anything(), "", old, scan),
		obsolete("SECURITY_SCANNER_ISSUER_NAME", text(), "", old, scan),
	}
}
