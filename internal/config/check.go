package config

import (
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/longshore-registry/longshore/internal/config/document"
)

// preferenceFromEnvironment lets QUAY_DISTRIBUTED_STORAGE_PREFERENCE, blank-separated, win over the key.
func (l *loader) preferenceFromEnvironment() {
	ids := strings.Fields(l.env(envPreference))
	if len(ids) == 0 {
		return
	}
	const key = "DISTRIBUTED_STORAGE_PREFERENCE"
	n := &document.Node{Shape: document.List}
	for _, id := range ids {
		n.Items = append(n.Items, &document.Node{Shape: document.Text, Text: id})
	}
	row, _ := l.table.find(key)
	if _, given := l.settings[key]; !given {
		l.order = append(l.order, key)
	}
	l.settings[key] = setting{row: row, name: key, file: envPreference, value: n}
	l.report.Files = append(l.report.Files, envPreference)
}

// finish looks at what keys say together, and at the files they name.
func (l *loader) finish() {
	l.environment()
	l.addresses()
	l.tlsFiles()
	l.tlsVersions()
	l.database()
	l.storage()
	l.signIn()
	l.tags()
	l.mail()
	l.restricted()
	l.artifacts()
	l.pageSize()
	l.report.View = l.view()
}

// set reports whether a key has a usable value in the files.
func (l *loader) isSet(key string) bool {
	_, given := l.settings[key]
	return given && !l.bad[key]
}

// anyBad reports whether a value of these keys is wrong, so that what they say together means nothing.
func (l *loader) anyBad(keys ...string) bool {
	return slices.ContainsFunc(keys, func(k string) bool { return l.bad[k] })
}

// at is a finding about a key: where it is set, or about the file when it is not.
func (l *loader) at(key, format string, args ...any) Finding {
	f := Finding{Key: key, Text: fmt.Sprintf(format, args...)}
	if s, ok := l.settings[key]; ok {
		f.File, f.Line = s.file, s.line
	} else if len(l.report.Files) > 0 {
		f.File = l.report.Files[0]
	}
	return f
}

func (l *loader) mustNot(key, format string, args ...any) {
	l.report.Errors = append(l.report.Errors, l.at(key, format, args...))
}

// contradicts notes that values do not go together, which IGNORE_VALIDATION lets pass with a warning.
func (l *loader) contradicts(key, format string, args ...any) {
	f := l.at(key, format, args...)
	if l.lenient {
		f.Text += " (passed because of " + envIgnoreValidation + ")"
		l.report.Warnings = append(l.report.Warnings, f)
		return
	}
	l.report.Errors = append(l.report.Errors, f)
}

func (l *loader) warnAt(key, format string, args ...any) {
	l.report.Warnings = append(l.report.Warnings, l.at(key, format, args...))
}

func (l *loader) addresses() {
	s := &l.config.Server
	tls := l.config.TLS.KeyFile != ""
	switch {
	case l.anyBad("PREFERRED_URL_SCHEME", "EXTERNAL_TLS_TERMINATION"):
		return
	case s.Scheme == "" && (s.ExternalTLS || tls):
		s.Scheme = "https"
	case s.Scheme == "http" && s.ExternalTLS:
		l.contradicts("PREFERRED_URL_SCHEME", "found http with EXTERNAL_TLS_TERMINATION; allowed: https, which is what clients speak then")
	case s.Scheme == "https" && !s.ExternalTLS && !tls:
		l.contradicts("PREFERRED_URL_SCHEME", "found https without ssl.cert and ssl.key beside the configuration; allowed: http, or EXTERNAL_TLS_TERMINATION when a proxy speaks TLS")
	}
	if s.Scheme == "https" {
		l.config.Session.CookieSecure = true
	}
}

func (l *loader) signIn() {
	if l.config.Login.Direct || l.anyBad("FEATURE_DIRECT_LOGIN") {
		return
	}
	for id := range l.settings {
		if strings.HasSuffix(id, "_LOGIN_CONFIG") {
			return
		}
	}
	l.contradicts("FEATURE_DIRECT_LOGIN", "found false; allowed: true, because there is no other way to sign in on the web")
}

func (l *loader) tags() {
	t := l.config.Tags
	if !l.anyBad("DEFAULT_TAG_EXPIRATION", "TAG_EXPIRATION_OPTIONS") && len(t.WindowChoices) > 0 && !slices.Contains(t.WindowChoices, t.Window) {
		key := "DEFAULT_TAG_EXPIRATION"
		if !l.isSet(key) {
			key = "TAG_EXPIRATION_OPTIONS"
		}
		l.contradicts(key, "the default %s is not among the options %s; allowed: a default that is one of TAG_EXPIRATION_OPTIONS", FormatDuration(t.Window), formatDurations(t.WindowChoices))
	}
	if !l.anyBad("LABELED_EXPIRATION_MINIMUM", "LABELED_EXPIRATION_MAXIMUM") && t.LabelMinimum > t.LabelMaximum {
		l.contradicts("LABELED_EXPIRATION_MINIMUM", "found %s; allowed: at most LABELED_EXPIRATION_MAXIMUM, which is %s", FormatDuration(t.LabelMinimum), FormatDuration(t.LabelMaximum))
	}
}

func formatDurations(durations []time.Duration) string {
	names := make([]string, 0, len(durations))
	for _, d := range durations {
		names = append(names, FormatDuration(d))
	}
	return strings.Join(names, ", ")
}

// pageSize keeps pages within what a client may ask for.
func (l *loader) pageSize() {
	const most = 1000
	if r := &l.config.Registry; r.PageSize > most {
		l.warnAt("V2_PAGINATION_SIZE", "found %d; pages have at most %d entries", r.PageSize, most)
		r.PageSize = most
	}
}

// restricted warns of names that free whoever has them from being restricted, while anybody may take a name that is free.
func (l *loader) restricted() {
	a := l.config.Accounts
	if a.RestrictedUsers && a.Registration && !a.InviteOnly && len(a.RestrictedWhitelist) > 0 {
		l.warnAt("RESTRICTED_USERS_WHITELIST", "anybody may register a name on it that nobody has yet, and is then not restricted, while FEATURE_USER_CREATION is on; make these accounts first, or switch it off")
	}
}

func (l *loader) mail() {
	m := &l.config.Mail
	if m.Enabled && m.Server == "" && l.isSet("FEATURE_MAILING") && !l.anyBad("MAIL_SERVER") {
		l.warnAt("FEATURE_MAILING", "found true without MAIL_SERVER; mail is off")
	}
	m.Enabled = m.Enabled && m.Server != ""
	if m.Enabled && l.config.Server.Hostname == "" && !l.anyBad("SERVER_HOSTNAME") {
		l.mustNot("MAIL_SERVER", "found %s without SERVER_HOSTNAME; allowed: with it, since links in mails must not lead to the host that a request names", m.Server)
	}
	if _, err := mail.ParseAddress(m.Sender); m.Enabled && err != nil {
		l.mustNot("MAIL_DEFAULT_SENDER", "found %q; allowed: an e-mail address, with a name or without", m.Sender)
	}
	if m.Enabled && l.config.Login.CodeLife <= 0 {
		l.mustNot("USER_RECOVERY_TOKEN_LIFETIME", "found 0; allowed: a duration above 0, since links in mails would never work")
	}
}
