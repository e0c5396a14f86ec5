package config

func limitKeys() []Key {
	return concat(quotaKeys(), proxyCacheKeys(), mirrorKeys(), pullStatisticKeys())
}

func quotaKeys() []Key {
	quota := under("FEATURE_QUOTA_MANAGEMENT")
	return []Key{
		refuses("FEATURE_QUOTA_MANAGEMENT", boolean(), "false", "Limits of storage, beyond which pushes are refused.", since("3.7")),
		refuses("DEFAULT_SYSTEM_REJECT_QUOTA_BYTES", count(), "0", "Limit of namespaces without one of their own; 0 is none.", since("3.7"), quota),
		refuses("FEATURE_EDIT_QUOTA", boolean(), "true", "Superusers change limits.", since("3.12"), quota),
		refuses("FEATURE_VERIFY_QUOTA", boolean(), "true", "Limits are enforced.", since("3.12"), quota),
		refuses("FEATURE_QUOTA_SUPPRESS_FAILURES", boolean(), "false", "Pushes go on when usage cannot be told.", since("3.12"), quota),
		accepted("QUOTA_BACKFILL", boolean(), "", "Quay adds up what was there before quotas; needs FEATURE_QUOTA_MANAGEMENT.", since("3.9")),
		accepted("QUOTA_BACKFILL_*", anything(), "", "Pace of that.", since("3.9")),
		accepted("QUOTA_TOTAL_DELAY_SECONDS", count(), "", "When Quay begins to add up.", since("3.9")),
		accepted("QUOTA_INVALIDATE_TOTALS", boolean(), "", "Quay adds up again.", since("3.9")),
		accepted("QUOTA_REGISTRY_SIZE_POLL_PERIOD", count(), "", "How often Quay measures the whole registry.", since("3.9")),
		refuses("FEATURE_QUOTA_NOTIFICATIONS", boolean(), "false", "Tells people who come near their limit.", since("3.18"), quota),
		refuses("QUOTA_NOTIFICATION_COOLDOWN_SECONDS", count(), "86400", "Least time between two such messages.", since("3.18"), quota),
	}
}

func proxyCacheKeys() []Key {
	return []Key{
		warns("FEATURE_PROXY_CACHE", boolean(), "false", "Organizations that fetch images from another registry when they are pulled.", since("3.7")),
		warns("FEATURE_PROXY_CACHE_BLOB_DOWNLOAD", boolean(), "true", "Fetches layers in advance.", since("3.15"), under("FEATURE_PROXY_CACHE")),
	}
}

func mirrorKeys() []Key {
	mirror, organizations := under("FEATURE_REPO_MIRROR"), under("FEATURE_ORG_MIRROR")
	return []Key{
		used("FEATURE_REPO_MIRROR", boolean(), "false", func(c *Config) *bool { return &c.Registry.Mirror },
			"Repositories that follow a repository of another registry; their state can be changed.",
			notice("repositories can be made read-only or mirrors, but this version fetches nothing")),
		warns("REPO_MIRROR_INTERVAL", count(), "30", "Pace of the worker, in seconds.", mirror),
		warns("REPO_MIRROR_TLS_VERIFY", boolean(), "true", "Checks the certificate of Quay's own registry when storing what was fetched.", mirror),
		warns("REPO_MIRROR_SERVER_HOSTNAME", hostPort(), "", "Host that fetched images are pushed to.", mirror),
		warns("REPO_MIRROR_ROLLBACK", boolean(), "false", "Undoes a fetch that failed in part.", since("3.7"), mirror),
		warns("REPO_MIRROR_MAX_MANIFEST_*", anything(), "", "Bounds of fetched manifests.", since("3.17"), mirror),
		warns("FEATURE_ORG_MIRROR", boolean(), "false", "Organizations that follow a namespace of another registry.", since("3.17")),
		warns("ORG_MIRROR_INTERVAL", count(), "30", "Pace of the worker, in seconds.", since("3.17"), organizations),
		warns("ORG_MIRROR_MAX_DISCOVERY_DURATION", count(), "1800", "Longest search for repositories, in seconds.", since("3.17"), organizations),
	}
}

func pullStatisticKeys() []Key {
	return []Key{
		used("FEATURE_IMAGE_PULL_STATS", boolean(), "false", func(c *Config) *bool { return &c.Tags.CountPulls },
			"Records how often and when tags and manifests are pulled.", since("3.16")),
		accepted("PULL_METRICS_WORKER_COUNT", count(), "", "Workers that do so; here the action log counts.", since("3.16"), under("FEATURE_IMAGE_PULL_STATS")),
		accepted("REDIS_FLUSH_INTERVAL_SECONDS", count(), "", "How often the counts are stored; here within a second.", since("3.16"), under("FEATURE_IMAGE_PULL_STATS")),
	}
}
