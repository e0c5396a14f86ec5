package config

import "time"

func storageKeys() []Key {
	return []Key{
		used("DISTRIBUTED_STORAGE_CONFIG", storageLocations(), "", func(c *Config) *[]Location { return &c.Storage.Locations },
			"Places for blobs: an id, a driver and its arguments. This version has LocalStorage {storage_path}; Quay's other drivers are refused. Unset, one folder in the data folder.", inQuay("test folders")),
		used("DISTRIBUTED_STORAGE_PREFERENCE", texts(), "", func(c *Config) *[]string { return &c.Storage.Preference },
			"Ids of locations in reading order, the first takes uploads; unset, the order of DISTRIBUTED_STORAGE_CONFIG. QUAY_DISTRIBUTED_STORAGE_PREFERENCE in the environment wins.", inQuay("all locations")),
		refuses("DISTRIBUTED_STORAGE_DEFAULT_LOCATIONS", texts(), "[]", "Locations that every namespace is replicated to.", under("FEATURE_STORAGE_REPLICATION")),
		refuses("FEATURE_STORAGE_REPLICATION", boolean(), "false", "Copies blobs to further locations in the background."),
		accepted("FEATURE_PROXY_STORAGE", boolean(), "false", "Blobs go through the registry instead of a redirect; with LocalStorage they always do."),
		used("MAXIMUM_LAYER_SIZE", size(), "20G", func(c *Config) *int64 { return &c.Registry.MaxBlobSize },
			"Largest blob that is accepted."),
		accepted("USERFILES_LOCATION", text(), "local_us", "Location of build contexts; this version builds nothing."),
		accepted("USERFILES_PATH", text(), "userfiles/", "Folder of build contexts; this version builds nothing."),
		accepted("LOG_ARCHIVE_LOCATION", text(), "local_us", "Location of old build logs; this version builds nothing."),
		accepted("LOG_ARCHIVE_PATH", text(), "logarchive/", "Folder of old build logs; this version builds nothing."),
		accepted("CLEAN_BLOB_UPLOAD_FOLDER", boolean(), "true", "Walks the upload folder for leftovers; here uploads are rows and known without a walk.", since("3.7")),
		accepted("FEATURE_ENABLE_STALE_MPU_CLEANUP", boolean(), "true", "Ends forgotten multipart uploads of object stores, which this version lacks.", since("after 3.18")),
		accepted("BLOBUPLOAD_CLEANUP_FREQUENCY", anything(), "", "How often Quay's worker looks for leftovers of uploads."),
		accepted("STORAGE_REPLICATION_PROCESSING_SECONDS", anything(), "", "Pace of Quay's replication worker."),
		used("PUSH_TEMP_TAG_EXPIRATION_SEC", seconds(1), "3600", func(c *Config) *time.Duration { return &c.Registry.PushProtection },
			"How long pushed blobs and manifests stay without a tag, in seconds."),
		accepted("SIGNED_GRANT_EXPIRATION_SEC", integer(0, unlimited), "86400", "Life of tokens of the Docker v1 protocol, which is not served."),
	}
}

func cacheKeys() []Key {
	const noRedis = "; no Redis is needed here."
	return []Key{
		accepted("BUILDLOGS_REDIS", mapping(), "", "Redis for build logs"+noRedis, inQuay("localhost")),
		accepted("USER_EVENTS_REDIS", mapping(), "", "Redis for live events"+noRedis, inQuay("localhost")),
		accepted("BUILDLOGS_REDIS_HOSTNAME", text(), "", "Older spelling of BUILDLOGS_REDIS"+noRedis),
		accepted("USER_EVENTS_REDIS_HOSTNAME", text(), "", "Older spelling of USER_EVENTS_REDIS"+noRedis),
		accepted("BUILDLOGS_OPTIONS", anything(), "", "Options of Quay's build log store."),
		accepted("BUILDLOGS_MODULE_AND_CLASS", anything(), "", "Python class of Quay's build log store."),
		accepted("PULL_METRICS_REDIS", mapping(), "", "Redis for pull statistics"+noRedis, since("3.16"), inQuay("localhost, database 1")),
		used("FEATURE_USER_EVENTS", boolean(), "true", func(c *Config) *bool { return &c.Server.UserEvents },
			"Pages are told what the same person's container tools do; each process tells of what it serves itself.", since("3.15")),
		accepted("DATA_MODEL_CACHE_CONFIG", mapping(), "", "Quay's cache; here each process caches by itself.", inQuay("memcached")),
	}
}
