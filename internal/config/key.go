package config

import (
	"slices"
	"strings"

	"github.com/longshore-registry/longshore/internal/config/document"
)

// Kind is what this version does with a key. Every key has exactly one.
type Kind uint8

// The kinds.
const (
	// Used keys are acted upon.
	Used Kind = iota + 1
	// Accepted keys are read and need no effect here.
	Accepted
	// Obsolete keys steer what Quay itself has given up; set to something, they are one warning.
	Obsolete
	// Refuses is for keys of missing features that decide who gets in, where data lies, what is recorded or what is
	// refused. A value that asks for the feature stops the program.
	Refuses
	// Warns is for keys of any other missing feature. A value that asks for it is one warning.
	Warns
)

// String is the kind's word in the documentation.
func (k Kind) String() string {
	switch k {
	case Used:
		return "used"
	case Accepted:
		return "accepted"
	case Obsolete:
		return "obsolete"
	case Refuses:
		return "refuses"
	case Warns:
		return "warns"
	}
	return "unknown"
}

// Key is one row of the table.
type Key struct {
	Name    string   // one "*" stands for any text; a dot leads into a map: DB_CONNECTION_ARGS.sslmode
	Aliases []string // other spellings that mean the same
	Kind    Kind
	Default string // as written in YAML, the effect of an absent key; empty: unset
	Quay    string // Quay's default where it is another one
	Since   string // Quay's release that brought the key; empty: 3.6 or earlier
	Means   string // one sentence or two

	gate       gate
	harmless   []string // further values, canonical, that ask for nothing this version lacks
	static     bool     // values that point to Quay's own pictures ask for nothing either
	notice     string   // Used keys: a warning when the key is set to something else than its default
	deprecated bool     // the notice is given whenever the key is set

	group bool // a map whose entries are rows of their own

	typ  anyType
	bind func(*Config, *reader, *document.Node) // Used keys only
}

// gate is another key that must have a value before a key matters.
type gate struct {
	key   string
	value string // canonical; empty: anything but unset, empty and false
	other bool   // the key must have another value instead
}

// String says the condition in words: "with FEATURE_X".
func (g gate) String() string {
	switch {
	case g.key == "":
		return ""
	case g.value == "":
		return "with " + g.key
	case g.other:
		return "with another " + g.key + " than " + g.value
	}
	return "with " + g.key + ": " + g.value
}

// Chapter is a part of the table.
type Chapter struct {
	Title string
	Keys  []Key
}

// Chapters is the table: every key of Quay's config.yaml once.
func Chapters() []Chapter {
	return []Chapter{
		{"Server and TLS", serverKeys()},
		{"Database", databaseKeys()},
		{"Blob storage", storageKeys()},
		{"Redis and caches", cacheKeys()},
		{"Accounts and sign-in", accountKeys()},
		{"Sign-in through other systems", loginKeys()},
		{"Repositories, push and artifacts", pushKeys()},
		{"Tags, time machine, collection", tagKeys()},
		{"Quota, proxy cache, mirroring", limitKeys()},
		{"Security scanner", scannerKeys()},
		{"Mail", mailKeys()},
		{"Audit log", logKeys()},
		{"Builds", buildKeys()},
		{"Console", consoleKeys()},
		{"Quay's own machinery", machineryKeys()},
	}
}

// TypeName is the name of the key's type in the documentation.
func (k Key) TypeName() string { return k.typ.describe().name }

// Allowed says in words which values the key takes.
func (k Key) Allowed() string { return k.typ.describe().allowed }

// Secret reports whether the key's values must not be shown.
func (k Key) Secret() bool { return k.typ.describe().secret }

// Schema is the JSON schema of the key's values other than null.
func (k Key) Schema() map[string]any { return k.typ.describe().schema }

// Under says in words what must be set for the key to matter; empty when nothing must.
func (k Key) Under() string { return k.gate.String() }

// Deprecated reports whether the key still works but should not be used any more.
func (k Key) Deprecated() bool { return k.deprecated || k.Kind == Obsolete }

// matches reports whether the row is for the name. Patterns never match an empty text.
func (k Key) matches(name string) bool {
	before, after, pattern := strings.Cut(k.Name, "*")
	if !pattern {
		return name == k.Name || slices.Contains(k.Aliases, name)
	}
	return len(name) > len(before)+len(after) && strings.HasPrefix(name, before) && strings.HasSuffix(name, after) &&
		strings.Count(name, ".") == strings.Count(k.Name, ".")
}

type option func(*Key)

// used makes the row of a key that is read into a field of Config.
func used[T any](name string, t valueType[T], def string, into func(*Config) *T, means string, options ...option) Key {
	k := Key{Name: name, Kind: Used, Default: def, Means: means, typ: t}
	k.bind = func(c *Config, r *reader, n *document.Node) {
		if value := t.read(r, n); len(r.wrongs) == 0 {
			*into(c) = value
		}
	}
	return k.with(options)
}

func accepted(name string, t anyType, def, means string, options ...option) Key {
	return Key{Name: name, Kind: Accepted, Default: def, Means: means, typ: t}.with(options)
}

func obsolete(name string, t anyType, def, means string, options ...option) Key {
	return Key{Name: name, Kind: Obsolete, Default: def, Means: means, typ: t}.with(options)
}

func refuses(name string, t anyType, def, means string, options ...option) Key {
	return Key{Name: name, Kind: Refuses, Default: def, Means: means, typ: t}.with(options)
}

func warns(name string, t anyType, def, means string, options ...option) Key {
	return Key{Name: name, Kind: Warns, Default: def, Means: means, typ: t}.with(options)
}

// group makes the row of a map whose entries have rows of their own, named with a dot.
func group(kind Kind, name, means string, options ...option) Key {
	return Key{Name: name, Kind: kind, Means: means, group: true, typ: mapping()}.with(options)
}

func (k Key) with(options []option) Key {
	for _, o := range options {
		o(&k)
	}
	return k
}

func since(release string) option      { return func(k *Key) { k.Since = release } }
func alias(names ...string) option     { return func(k *Key) { k.Aliases = names } }
func inQuay(def string) option         { return func(k *Key) { k.Quay = def } }
func harmless(values ...string) option { return func(k *Key) { k.harmless = values } }
func staticIsHarmless() option         { return func(k *Key) { k.static = true } }

// under makes a key without effect unless the other key is on.
func under(key string) option { return func(k *Key) { k.gate = gate{key: key} } }

// underValue makes a key without effect unless the other key has the value.
func underValue(key, value string) option {
	return func(k *Key) { k.gate = gate{key: key, value: value} }
}

// underOther makes a key without effect while the other key has the value.
func underOther(key, value string) option {
	return func(k *Key) { k.gate = gate{key: key, value: value, other: true} }
}

// notice is a warning that goes with a value other than the default.
func notice(text string) option { return func(k *Key) { k.notice = text } }

// deprecated is a warning that goes with any value.
func deprecated(text string) option {
	return func(k *Key) { k.notice, k.deprecated = text, true }
}

// Meaning is Means with all that the row says beside it: condition, other names, Quay's default, release.
func (k Key) Meaning() string {
	text := k.Means
	if with := k.Under(); with != "" {
		text += " Counts *" + with + "*."
	}
	if len(k.Aliases) > 0 {
		text += " Also written `" + strings.Join(k.Aliases, "`, `") + "`."
	}
	if k.Kind == Used && k.Deprecated() {
		text += " Deprecated."
	}
	if k.Quay != "" {
		text += " Quay's default: " + k.Quay + "."
	}
	if k.Since != "" {
		text += " (" + k.Since + ")"
	}
	return text
}
