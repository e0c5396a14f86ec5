package config

func pushKeys() []Key {
	return concat(createKeys(), nameKeys(), artifactKeys(), protocolKeys(), retiredPushKeys())
}

func createKeys() []Key {
	return []Key{
		used("CREATE_PRIVATE_REPO_ON_PUSH", boolean(), "true", func(c *Config) *bool { return &c.Push.PrivateRepositories },
			"Repositories made by a push are private."),
		used("CREATE_NAMESPACE_ON_PUSH", boolean(), "false", func(c *Config) *bool { return &c.Push.CreateNamespaces },
			"A push to a missing namespace makes an organization that belongs to the pusher.", alias("CREATE_ORGANIZATION_ON_PUSH")),
		obsolete("CREATE_REPOSITORY_ON_PUSH_PUBLIC", boolean(), "false", "Declared by Quay 3.6 and read by none of its parts; CREATE_PRIVATE_REPO_ON_PUSH decides."),
	}
}

func nameKeys() []Key {
	return []Key{
		used("FEATURE_EXTENDED_REPOSITORY_NAMES", boolean(), "true", func(c *Config) *bool { return &c.Registry.NestedNames },
			"Repository names may have several parts."),
		used("FEATURE_LIBRARY_SUPPORT", boolean(), "true", func(c *Config) *bool { return &c.Registry.Library },
			"Names without a namespace belong to LIBRARY_NAMESPACE."),
		used("LIBRARY_NAMESPACE", namespaceName(), "library", func(c *Config) *string { return &c.Registry.LibraryNamespace },
			"Namespace of names without one."),
		used("PUBLIC_NAMESPACES", texts(), "[]", func(c *Config) *[]string { return &c.Accounts.PublicNamespaces },
			"Namespaces that every user finds in the list."),
		used("FEATURE_PUBLIC_CATALOG", boolean(), "false", func(c *Config) *bool { return &c.Registry.PublicCatalog },
			"/v2/_catalog lists public repositories for everybody."),
		used("V2_PAGINATION_SIZE", integer(1, unlimited), "50", func(c *Config) *int { return &c.Registry.PageSize },
			"Length of a page of /v2 lists when the client does not say; above 1000 it is 1000."),
		warns("SEARCH_RESULTS_PER_PAGE", integer(1, unlimited), "10", "Length of a page of search results."),
		warns("SEARCH_MAX_RESULT_PAGE_COUNT", integer(1, unlimited), "10", "Most pages of search results."),
	}
}

func artifactKeys() []Key {
	return []Key{
		used("FEATURE_GENERAL_OCI_SUPPORT", boolean(), "true", func(c *Config) *bool { return &c.Artifacts.OCI },
			"OCI manifests and indexes are accepted."),
		used("OCI_NAMESPACE_WHITELIST", texts(), "", func(c *Config) *[]string { return &c.Artifacts.OCINamespaces },
			"Namespaces that accept OCI manifests although FEATURE_GENERAL_OCI_SUPPORT is off."),
		used("ALLOWED_OCI_ARTIFACT_TYPES", artifactTypes(), "", func(c *Config) *map[string][]string { return &c.Artifacts.Allowed },
			"Artifacts that may be pushed: config media types with the layer media types they bring. Unset, everything is accepted.", inQuay("cosign signatures and Helm charts")),
		used("FEATURE_HELM_OCI_SUPPORT", boolean(), "true", func(c *Config) *bool { return &c.Artifacts.Helm },
			"Helm charts are accepted although ALLOWED_OCI_ARTIFACT_TYPES does not name them.", alias("FEATURE_EXPERIMENTAL_HELM_OCI_SUPPORT"),
			deprecated("deprecated, but honoured: name Helm's media types in ALLOWED_OCI_ARTIFACT_TYPES instead")),
		used("IGNORE_UNKNOWN_MEDIATYPES", boolean(), "false", func(c *Config) *bool { return &c.Artifacts.IgnoreUnknown },
			"Everything is accepted whatever ALLOWED_OCI_ARTIFACT_TYPES says.", since("3.11")),
		used("V22_NAMESPACE_BLACKLIST", texts(), "", func(c *Config) *[]string { return &c.Artifacts.Schema1Only },
			"Namespaces that refuse everything newer than Docker schema 1."),
	}
}

func protocolKeys() []Key {
	return []Key{
		used("FEATURE_REFERRERS_API", boolean(), "true", func(c *Config) *bool { return &c.Registry.Referrers },
			"The referrers endpoint of OCI distribution 1.1 is served.", since("3.12")),
		used("FEATURE_SPARSE_INDEX", boolean(), "false", func(c *Config) *bool { return &c.Registry.SparseIndex },
			"An index may name manifests that are not here.", since("3.17")),
		used("FEATURE_ADVERTISE_V2", boolean(), "true", func(c *Config) *bool { return &c.Registry.Advertised },
			"/v2/ answers; off, clients are told that there is no such registry."),
		used("BLACKLIST_V2_SPEC", versionRange(), "<1.6.0", func(c *Config) *string { return &c.Registry.BlockedDockers },
			"Versions of the Docker client that are told that there is no such registry."),
		used("LABEL_KEY_RESERVED_PREFIXES", texts(), "[]", func(c *Config) *[]string { return &c.Registry.ReservedLabels },
			"Further beginnings of label keys that the API refuses."),
		warns("WEBHOOK_HOSTNAME_BLACKLIST", texts(), "[]", "Hosts that webhooks must not call."),
		used("SSRF_ALLOWED_HOSTS", texts(), "[]", func(c *Config) *[]string { return &c.ActionLog.InnerHosts },
			"Hosts that log export and robot federation may call although they are inside: names, addresses, networks.", since("3.17")),
	}
}

// retiredPushKeys belong to what Quay gave up: the Docker v1 protocol, content trust, application registry, ACI, BitTorrent.
func retiredPushKeys() []Key {
	const v1, trust, apps = "Pushing over Docker's v1 protocol, which is not served.", "Docker content trust, given up by Quay.", "The application registry, removed in Quay 3.8."
	return []Key{
		obsolete("FEATURE_RESTRICTED_V1_PUSH", boolean(), "false", v1, harmless("true")),
		obsolete("V1_PUSH_WHITELIST", texts(), "[]", v1),
		obsolete("V1_ONLY_DOMAIN", text(), "", v1),
		obsolete("FEATURE_SIGNING", boolean(), "false", trust),
		obsolete("SIGNING_ENGINE", text(), "", trust, under("FEATURE_SIGNING")),
		obsolete("GPG2_*", anything(), "", "Keys that signed images in rkt's format.", under("FEATURE_SIGNING")),
		obsolete("TUF_*", anything(), "", trust, under("FEATURE_SIGNING")),
		obsolete("FEATURE_APP_REGISTRY", boolean(), "false", apps),
		obsolete("FEATURE_READONLY_APP_REGISTRY", boolean(), "false", apps),
		obsolete("APP_REGISTRY_*", anything(), "", apps, under("FEATURE_APP_REGISTRY")),
		obsolete("MAXIMUM_CNR_LAYER_SIZE", anything(), "", apps, under("FEATURE_APP_REGISTRY")),
		obsolete("FEATURE_ACI_CONVERSION", boolean(), "false", "Images in rkt's format, removed in Quay 3.7."),
		obsolete("FEATURE_BITTORRENT", boolean(), "", "Downloads over BitTorrent, removed in Quay 3.4."),
		obsolete("BITTORRENT_*", anything(), "", "Downloads over BitTorrent, removed in Quay 3.4.", under("FEATURE_BITTORRENT")),
	}
}
