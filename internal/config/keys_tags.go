package config

import "time"

func tagKeys() []Key {
	const keeps = "this version removes nothing by itself."
	return []Key{
		used("DEFAULT_TAG_EXPIRATION", duration(), "2w", func(c *Config) *time.Duration { return &c.Tags.Window },
			"How long deleted tags of a new namespace can be restored; one of TAG_EXPIRATION_OPTIONS."),
		used("TAG_EXPIRATION_OPTIONS", list(duration()), "[0s, 1d, 1w, 2w, 4w]", func(c *Config) *[]time.Duration { return &c.Tags.WindowChoices },
			"What a namespace may choose instead; empty, nothing."),
		used("FEATURE_CHANGE_TAG_EXPIRATION", boolean(), "true", func(c *Config) *bool { return &c.Tags.ChangeWindow },
			"Namespaces choose how long their deleted tags can be restored."),
		used("LABELED_EXPIRATION_MINIMUM", duration(), "1h", func(c *Config) *time.Duration { return &c.Tags.LabelMinimum },
			"Shortest life that an expiration gives a tag."),
		used("LABELED_EXPIRATION_MAXIMUM", duration(), "104w", func(c *Config) *time.Duration { return &c.Tags.LabelMaximum },
			"Longest life that an expiration gives a tag."),
		accepted("FEATURE_GARBAGE_COLLECTION", boolean(), "true", "Removes what no tag needs any more; "+keeps),
		accepted("FEATURE_NAMESPACE_GARBAGE_COLLECTION", boolean(), "true", "Removes deleted namespaces; "+keeps),
		accepted("FEATURE_REPOSITORY_GARBAGE_COLLECTION", boolean(), "true", "Removes deleted repositories; "+keeps),
		accepted("GARBAGE_COLLECTION_FREQUENCY", count(), "30", "Pace of Quay's collector, in seconds."),
		used("PERMANENTLY_DELETE_TAGS", boolean(), "true", func(c *Config) *bool { return &c.Tags.Purge },
			"Tags can be removed so that they cannot be restored.", since("3.9"), inQuay("false")),
		warns("RESET_CHILD_MANIFEST_EXPIRATION", boolean(), "false", "Removing an index for good removes its images too.", since("3.9")),
		warns("FEATURE_AUTO_PRUNE", boolean(), "false", "Removes tags by policies of namespaces and repositories.", since("3.10")),
		warns("DEFAULT_NAMESPACE_AUTOPRUNE_POLICY", mapping(), "", "Policy of namespaces without one.", since("3.10"), under("FEATURE_AUTO_PRUNE")),
		warns("AUTOPRUNE_*", anything(), "", "Details of that worker.", since("3.10"), under("FEATURE_AUTO_PRUNE")),
		used("FEATURE_IMMUTABLE_TAGS", boolean(), "false", func(c *Config) *bool { return &c.Tags.Immutable },
			"Tags can be protected, so that pushes and deletes of them are refused.", since("3.17")),
		used("FEATURE_IMMUTABLE_TAGS_CAN_EXPIRE", boolean(), "false", func(c *Config) *bool { return &c.Tags.ImmutableExpire },
			"Protected tags may expire.", since("3.17"), under("FEATURE_IMMUTABLE_TAGS")),
		warns("FEATURE_IMAGE_EXPIRY_TRIGGER", boolean(), "false", "Tells people before tags expire.", since("3.13")),
		warns("NOTIFICATION_TASK_RUN_MINIMUM_INTERVAL_MINUTES", count(), "", "How often that is looked at.", since("3.13"), under("FEATURE_IMAGE_EXPIRY_TRIGGER")),
		accepted("NAMESPACE_GC_GRACE_PERIOD_*", anything(), "", "How long deleted namespaces are kept; "+keeps, since("after 3.18")),
	}
}
