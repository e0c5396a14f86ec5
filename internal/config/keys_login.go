package config

func loginKeys() []Key {
	return concat(ldapKeys(), jwtKeys(), keystoneKeys(), externalKeys(), teamSyncKeys())
}

func concat(parts ...[]Key) []Key {
	var all []Key
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func ldapKeys() []Key {
	ldap := underValue("AUTHENTICATION_TYPE", "LDAP")
	return []Key{
		refuses("LDAP_URI", text(), "ldap://localhost", "Address of the LDAP server.", ldap),
		refuses("LDAP_BASE_DN", texts(), "", "Parts of the base name under which users are found.", ldap),
		refuses("LDAP_ADMIN_DN", text(), "", "Name that Quay binds with to search.", ldap),
		refuses("LDAP_ADMIN_PASSWD", secretText(), "", "Password of LDAP_ADMIN_DN.", ldap),
		refuses("LDAP_USER_RDN", texts(), "", "Where users are, relative to the base name.", ldap),
		refuses("LDAP_SECONDARY_USER_RDNS", texts(), "", "Further places of users.", ldap),
		refuses("LDAP_UID_ATTR", text(), "uid", "Attribute with the user name.", ldap),
		refuses("LDAP_EMAIL_ATTR", text(), "mail", "Attribute with the mail address.", ldap),
		refuses("LDAP_USER_FILTER", text(), "", "Only users who match it sign in.", ldap),
		refuses("LDAP_ALLOW_INSECURE_FALLBACK", boolean(), "false", "Goes on without TLS when TLS fails.", ldap),
		refuses("LDAP_TIMEOUT", count(), "10", "Longest search, in seconds.", ldap),
		refuses("LDAP_NETWORK_TIMEOUT", count(), "10", "Longest wait for the server, in seconds.", ldap),
		refuses("LDAP_SUPERUSER_FILTER", text(), "", "Users who match it are superusers.", since("3.8"), ldap),
		refuses("LDAP_RESTRICTED_USER_FILTER", text(), "", "Users who match it are restricted.", since("3.8"), ldap),
		refuses("LDAP_GLOBAL_READONLY_SUPERUSER_FILTER", text(), "", "Users who match it may read everything.", since("3.12"), ldap),
		refuses("LDAP_FOLLOW_REFERRALS", boolean(), "", "Follows referrals to other servers.", since("3.9"), ldap),
		refuses("LDAP_MEMBEROF_ATTR", text(), "", "Attribute with a user's groups.", since("3.10"), ldap),
		refuses("FEATURE_LDAP_CACHING", boolean(), "false", "Keeps answers of the server for a while.", since("3.17"), ldap),
		refuses("LDAP_CACHE_TTL", anything(), "", "How long answers are kept.", since("3.17"), ldap),
		refuses("LDAP_CONNECTION_POOLING", anything(), "", "Keeps connections to the server.", since("3.18"), ldap),
		refuses("LDAP_POOL_*", anything(), "", "Details of those connections.", since("3.18"), ldap),
	}
}

func jwtKeys() []Key {
	jwt := underValue("AUTHENTICATION_TYPE", "JWT")
	return []Key{
		refuses("JWT_VERIFY_ENDPOINT", httpURL(), "", "Service that checks a user's password.", jwt),
		refuses("JWT_AUTH_ISSUER", text(), "", "Issuer of that service's tokens.", jwt),
		refuses("JWT_QUERY_ENDPOINT", httpURL(), "", "Service that searches users.", jwt),
		refuses("JWT_GETUSER_ENDPOINT", httpURL(), "", "Service that describes a user.", jwt),
		refuses("JWT_AUTH_MAX_FRESH_S", count(), "300", "Longest life of that service's tokens, in seconds.", jwt),
	}
}

func keystoneKeys() []Key {
	keystone := underValue("AUTHENTICATION_TYPE", "Keystone")
	return []Key{
		refuses("KEYSTONE_AUTH_VERSION", integer(2, 3), "2", "Version of the Keystone interface.", keystone),
		refuses("KEYSTONE_AUTH_URL", httpURL(), "", "Address of Keystone.", keystone),
		refuses("KEYSTONE_ADMIN_USERNAME", text(), "", "Keystone user with which Quay searches.", keystone),
		refuses("KEYSTONE_ADMIN_PASSWORD", secretText(), "", "Password of that user.", keystone),
		refuses("KEYSTONE_ADMIN_TENANT", text(), "", "Tenant of that user.", keystone),
		refuses("KEYSTONE_AUTH_TIMEOUT", count(), "", "Longest wait for Keystone, in seconds.", keystone),
	}
}

// externalKeys are the sign-in services that stand beside any AUTHENTICATION_TYPE.
func externalKeys() []Key {
	return []Key{
		refuses("*_LOGIN_CONFIG", secretMapping(), "", "An OpenID Connect provider through which people sign in; the part before the first underscore names it."),
		refuses("FEATURE_GITHUB_LOGIN", boolean(), "false", "People sign in with GitHub."),
		refuses("GITHUB_LOGIN_CONFIG", secretMapping(), "", "Application at GitHub, and the organizations whose members may sign in.", under("FEATURE_GITHUB_LOGIN")),
		refuses("FEATURE_GOOGLE_LOGIN", boolean(), "false", "People sign in with Google."),
		refuses("GOOGLE_LOGIN_CONFIG", secretMapping(), "", "Application at Google.", under("FEATURE_GOOGLE_LOGIN")),
	}
}

func teamSyncKeys() []Key {
	sync := under("FEATURE_TEAM_SYNCING")
	return []Key{
		refuses("FEATURE_TEAM_SYNCING", boolean(), "false", "Teams take their members from groups of the sign-in system."),
		refuses("TEAM_RESYNC_STALE_TIME", duration(), "30m", "How old a team's members may be.", sync),
		refuses("FEATURE_NONSUPERUSER_TEAM_SYNCING_SETUP", boolean(), "false", "Organization administrators connect teams to groups.", sync),
		refuses("TEAM_SYNC_WORKER_FREQUENCY", count(), "60", "How often teams are looked at, in seconds.", sync),
	}
}
