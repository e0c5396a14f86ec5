package config

import (
	"time"

	"github.com/longshore-registry/longshore/internal/secret"
)

func mailKeys() []Key {
	mail := under("MAIL_SERVER")
	return []Key{
		used("FEATURE_MAILING", boolean(), "true", func(c *Config) *bool { return &c.Mail.Enabled },
			"Accounts need a mail address; in effect only with MAIL_SERVER."),
		used("MAIL_SERVER", text(), "", func(c *Config) *string { return &c.Mail.Server },
			"Host that takes outgoing mail. It needs SERVER_HOSTNAME, which the links in mails lead to.", under("FEATURE_MAILING")),
		used("MAIL_PORT", port(), "587", func(c *Config) *int { return &c.Mail.Port }, "Port of the mail server.", mail),
		used("MAIL_USE_TLS", boolean(), "true", func(c *Config) *bool { return &c.Mail.StartTLS },
			"STARTTLS is demanded of the mail server; false sends everything in the clear.", mail),
		used("MAIL_USERNAME", text(), "", func(c *Config) *string { return &c.Mail.Username }, "User at the mail server; unset, nobody signs in there.", mail),
		used("MAIL_PASSWORD", secretText(), "", func(c *Config) *secret.String { return &c.Mail.Password }, "Password at the mail server.", mail),
		used("MAIL_DEFAULT_SENDER", text(), "admin@example.com", func(c *Config) *string { return &c.Mail.Sender },
			"Sender of mails: an address, with a name or without.", mail),
		accepted("MAIL_USE_AUTH", boolean(), "", "A switch of Quay's configuration tool."),
		accepted("MAIL_FAIL_SILENTLY", boolean(), "false", "A switch of Quay's mail library."),
	}
}

func logKeys() []Key {
	model, rotation := underOther("LOGS_MODEL", "database"), under("FEATURE_ACTION_LOG_ROTATION")
	return []Key{
		refuses("LOGS_MODEL", enum("database", "elasticsearch", "transition_reads_both_writes_es", "splunk"), "database", "Where the audit log goes."),
		group(Refuses, "LOGS_MODEL_CONFIG", "Details of a place for the audit log other than the database.", model),
		refuses("LOGS_MODEL_CONFIG.producer", enum("elasticsearch", "kafka", "kinesis_stream", "splunk", "splunk_hec"), "", "What entries are handed to.", model),
		refuses("LOGS_MODEL_CONFIG.elasticsearch_config", secretMapping(), "", "Elasticsearch as place of the audit log.", model),
		refuses("LOGS_MODEL_CONFIG.kafka_config", secretMapping(), "", "Kafka as way to it.", model),
		refuses("LOGS_MODEL_CONFIG.kinesis_stream_config", secretMapping(), "", "Kinesis as way to it.", model),
		refuses("LOGS_MODEL_CONFIG.splunk_config", secretMapping(), "", "Splunk as place of the audit log.", since("3.9"), model),
		refuses("LOGS_MODEL_CONFIG.splunk_hec_config", secretMapping(), "", "Splunk's HTTP collector as place of the audit log.", since("3.12"), model),
		refuses("FEATURE_ACTION_LOG_ROTATION", boolean(), "false", "Moves old audit entries to the blob store; ACTION_LOG_RETENTION removes them instead."),
		refuses("ACTION_LOG_ARCHIVE_LOCATION", text(), "", "Storage location of old entries.", rotation),
		refuses("ACTION_LOG_ARCHIVE_PATH", text(), "", "Folder of old entries.", rotation),
		refuses("ACTION_LOG_ROTATION_THRESHOLD", duration(), "30d", "Age at which entries are moved.", rotation),
		refuses("ACTION_LOG_ROTATION_FREQUENCY", anything(), "", "How often that is looked at.", rotation),
		refuses("MINIMUM_LOGS_AGE_FOR_ARCHIVE", anything(), "", "Younger entries are never moved.", rotation),
		used("ACTION_LOG_RETENTION", duration(), "", func(c *Config) *time.Duration { return &c.ActionLog.Retention },
			"Longshore's own key: entries older than this are removed, a whole month at a time. Unset, they are kept for ever."),
		used("ACTION_LOG_MAX_PAGE", count(), "", func(c *Config) *int { return &c.ActionLog.MaxPages },
			"Most pages of the audit log that a list gives; 0 and unset for all."),
		used("ACTION_LOG_AUDIT_LOGINS", boolean(), "true", func(c *Config) *bool { return &c.ActionLog.Logins },
			"Records who signs in and out.", since("3.9")),
		used("ACTION_LOG_AUDIT_LOGIN_FAILURES", boolean(), "false", func(c *Config) *bool { return &c.ActionLog.LoginFailures },
			"Records sign-ins that are refused, in the registry's log.", since("3.11")),
		used("ACTION_LOG_AUDIT_PULL_FAILURES", boolean(), "false", func(c *Config) *bool { return &c.ActionLog.PullFailures },
			"Records pulls of manifests that fail.", since("3.11")),
		used("ACTION_LOG_AUDIT_PUSH_FAILURES", boolean(), "false", func(c *Config) *bool { return &c.ActionLog.PushFailures },
			"Records pushes of manifests that fail.", since("3.11")),
		used("ACTION_LOG_AUDIT_DELETE_FAILURES", boolean(), "false", func(c *Config) *bool { return &c.ActionLog.DeleteFailures },
			"Records deletions of manifests and tags by clients that fail.", since("3.11")),
		refuses("FEATURE_EXTENDED_ACTION_LOGGING", boolean(), "false", "Records more of what happens.", since("3.18")),
		used("DISABLED_FOR_AUDIT_LOGS", texts(), "[]", func(c *Config) *[]string { return &c.ActionLog.Silent },
			"Namespaces of which nothing is recorded."),
		used("DISABLED_FOR_PULL_LOGS", texts(), "[]", func(c *Config) *[]string { return &c.ActionLog.SilentPulls },
			"Namespaces whose pulls are not recorded."),
		accepted("FEATURE_DISABLE_PULL_LOGS_FOR_FREE_NAMESPACES", boolean(), "false", "For the hosted service only."),
		accepted("FEATURE_CLEAR_EXPIRED_RAC_ENTRIES", boolean(), "false", "For the hosted service only."),
		used("FEATURE_LOG_EXPORT", boolean(), "true", func(c *Config) *bool { return &c.ActionLog.Export },
			"The audit log can be exported."),
		accepted("EXPORT_ACTION_LOGS_*", anything(), "", "Where Quay's worker keeps exports and how long it may take; here they lie in the data folder and may take an hour."),
		used("FEATURE_AGGREGATED_LOG_COUNT_RETRIEVAL", boolean(), "true", func(c *Config) *bool { return &c.ActionLog.Counts },
			"Counts of audit entries by day can be asked for."),
		warns("NOTIFICATION_SEND_TIMEOUT", count(), "10", "How long a webhook may take, in seconds."),
	}
}
