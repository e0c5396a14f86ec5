package config

import (
	"net/url"
	"strings"

	"github.com/longshore-registry/longshore/internal/config/document"
	"github.com/longshore-registry/longshore/internal/secret"
)

// View is what may be shown of a configuration, as encoding/json writes it. No secret is in any part of it.
type View struct {
	Public   map[string]any // for everybody: the keys of a list that were set (rest-api §4.3)
	Features map[string]any // for everybody: every FEATURE_X under X; what this version lacks is false
	Set      map[string]any // for superusers: everything that was set, secrets replaced
	Unknown  map[string]any // for superusers: what was set and is no key; the values are left out, one may be a misspelt secret
	Env      map[string]any // for superusers: what the environment said
}

// publicKeys may be shown to everybody. Quay's list without the keys of services that only the hosted one has.
func publicKeys() []string {
	return strings.Fields(`SERVER_HOSTNAME PREFERRED_URL_SCHEME AUTHENTICATION_TYPE REGISTRY_TITLE REGISTRY_TITLE_SHORT CONTACT_INFO
		AVATAR_KIND LOCAL_OAUTH_HANDLER SETUP_COMPLETE DEBUG TAG_EXPIRATION_OPTIONS SEARCH_RESULTS_PER_PAGE
		SEARCH_MAX_RESULT_PAGE_COUNT BRANDING DOCUMENTATION_ROOT ENTERPRISE_LOGO_URL RECAPTCHA_SITE_KEY CHANNEL_COLORS
		FEATURE_REPO_MIRROR FEATURE_ORG_MIRROR FEATURE_QUOTA_MANAGEMENT FEATURE_QUOTA_NOTIFICATIONS FEATURE_EDIT_QUOTA
		FEATURE_PROXY_CACHE QUOTA_BACKFILL PERMANENTLY_DELETE_TAGS UI_V2_FEEDBACK_FORM FOOTER_LINKS
		UI_DELAY_AFTER_WRITE_SECONDS FEATURE_ASSIGN_OAUTH_TOKEN FEATURE_IMAGE_EXPIRY_TRIGGER FEATURE_AUTO_PRUNE
		DEFAULT_NAMESPACE_AUTOPRUNE_POLICY DEFAULT_UI DISABLE_ANGULAR_UI ROBOTS_DISALLOW FEATURE_IMMUTABLE_TAGS_CAN_EXPIRE
		ENTERPRISE_LOGO_URL_DARK`)
}

const featurePrefix = "FEATURE_"

// view is made when everything was judged.
func (l *loader) view() View {
	v := View{Public: map[string]any{}, Features: map[string]any{}, Set: map[string]any{}, Unknown: map[string]any{}, Env: map[string]any{}}
	for _, row := range l.table.rows {
		if name, ok := strings.CutPrefix(row.Name, featurePrefix); ok {
			v.Features[name] = l.effective(row)
		}
	}
	for _, id := range l.order {
		if s, ok := l.settings[id]; ok {
			insert(v.Set, strings.Split(s.name, "."), shown(s.row, s.name, s.value))
		}
	}
	for _, name := range publicKeys() {
		s, set := l.settings[name]
		switch {
		case !set || l.bad[name] || s.row.Secret():
		case strings.HasPrefix(name, featurePrefix):
			v.Public[name] = l.effective(s.row)
		default:
			v.Public[name] = shown(s.row, s.name, s.value)
		}
	}
	v.Public["AUTHENTICATION_TYPE"] = "Database" // nothing else starts
	for _, name := range l.strange {
		insert(v.Unknown, strings.Split(name, "."), secret.Redacted)
	}
	for _, name := range []string{envDir, envOverride, envPreference, envIgnoreValidation, envDebugLog} {
		if value, ok := l.lookup(name); ok {
			v.Env[name] = value
		}
	}
	if _, ok := v.Env[envOverride]; ok {
		v.Env[envOverride] = secret.Redacted
	}
	return v
}

// effective is what a feature's key comes to. A feature that is not acted upon is off, whatever was set.
func (l *loader) effective(row Key) any {
	if row.Kind != Used {
		return false
	}
	if s, ok := l.settings[row.Name]; ok && !l.bad[row.Name] {
		return s.value.Value()
	}
	if n, ok := l.table.defaults[row.Name]; ok {
		return n.Value()
	}
	return false
}

// shown is a value without its secrets: all of it where the row says so, else what a name inside of it gives away.
func shown(row Key, name string, n *document.Node) any {
	if row.Secret() && !n.IsEmpty() {
		return secret.Redacted
	}
	return masked(n, "")
}

func masked(n *document.Node, name string) any {
	switch n.Shape {
	case document.Map:
		fields := map[string]any{}
		for _, f := range n.Fields {
			fields[f.Name] = masked(f.Value, f.Name)
		}
		return fields
	case document.List:
		items := make([]any, 0, len(n.Items))
		for _, i := range n.Items {
			items = append(items, masked(i, name))
		}
		return items
	}
	if !n.IsEmpty() && (givesAway(name) || n.Shape == document.Text && hasPassword(n.Text)) {
		return secret.Redacted
	}
	return n.Value()
}

// givesAway reports whether a member of that name holds a secret: a map may be of a feature that this version lacks, so
// that nothing else is known about it.
func givesAway(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"pass", "secret", "token", "key", "credential", "auth", "sas", "dsn", "cert"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// hasPassword reports whether a text is an address with a password in it.
func hasPassword(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return strings.Contains(text, "@")
	}
	_, has := u.User.Password()
	return has
}

// insert puts a value under the maps that its name leads into.
func insert(into map[string]any, path []string, value any) {
	for len(path) > 1 {
		inner, ok := into[path[0]].(map[string]any)
		if !ok {
			inner = map[string]any{}
			into[path[0]] = inner
		}
		into, path = inner, path[1:]
	}
	into[path[0]] = value
}
