package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/longshore-registry/longshore/internal/problem"
)

const (
	minName        = 2
	maxName        = 255
	minPassword    = 8
	maxDescription = 255 // characters of a robot's description
)

// ValidateUsername checks the name of a user or an organization (registry-protocol §2).
func ValidateUsername(name string) error { return validateName("username", name) }

// ValidateTeamName checks the name of a team; the rule is that of user names (rest-api §6).
func ValidateTeamName(name string) error { return validateName("team name", name) }

// ValidateRobotShortName checks the part of a robot's name behind the plus sign.
func ValidateRobotShortName(name string) error { return validateName("robot name", name) }

// ValidatePassword checks a new password. Existing ones are never measured by it. Only the first 72 bytes of a
// password count, in Quay as here, because bcrypt looks at no more.
func ValidatePassword(password string) error {
	if utf8.RuneCountInString(password) < minPassword || strings.ContainsFunc(password, unicode.IsSpace) {
		return problem.New(problem.Invalid, "Invalid password, password must be at least %d characters and contain no whitespace.", minPassword)
	}
	return nil
}

func validateName(what, name string) error {
	if len(name) < minName || len(name) > maxName {
		return problem.New(problem.Invalid, "Invalid %s %s: it has %d characters, allowed are %d to %d", what, quoted(name), len(name), minName, maxName)
	}
	if !plainName(name) {
		return problem.New(problem.Invalid, "Invalid %s %s: allowed are lower-case letters and digits, with single '.', '_' or '-' between them", what, quoted(name))
	}
	return nil
}

// plainName matches ^[a-z0-9]+([._-][a-z0-9]+)*$.
func plainName(name string) bool {
	wasSign := true
	for _, r := range name {
		sign := r == '.' || r == '_' || r == '-'
		letter := r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
		if !sign && !letter || sign && wasSign {
			return false
		}
		wasSign = sign
	}
	return !wasSign
}

// storable reports whether both databases take a text: PostgreSQL keeps neither NUL nor what is no UTF-8.
func storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// quoted is a name for a message, between quotes.
func quoted(name string) string { return "'" + shown(name) + "'" }

// shown is a name for a message: printable, and cut to a sensible length.
func shown(name string) string {
	const most = 64
	runes := []rune(strings.ToValidUTF8(name, "?"))
	tail := ""
	if len(runes) > most {
		runes, tail = runes[:most], "…"
	}
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = '?'
		}
	}
	return string(runes) + tail
}

// validateEmail checks an address where one is given. Addresses are stored as they come and compared bytewise, as
// Quay does.
func validateEmail(email string) error {
	if email == "" {
		return nil
	}
	local, domain, ok := strings.Cut(email, "@")
	if !ok || local == "" || domain == "" || len(email) > maxName || !storable(email) || strings.Contains(domain, "@") || strings.ContainsFunc(email, unicode.IsSpace) {
		return problem.New(problem.Invalid, "Invalid email address %s", quoted(email))
	}
	return nil
}

// OrganizationEmail is the address of an organization that a push of pusher's created (registry-protocol §11):
// local+namespace@domain, or empty when the pusher has no address.
func OrganizationEmail(pusher, namespace string) string {
	local, domain, ok := strings.Cut(pusher, "@")
	if !ok {
		return ""
	}
	return local + "+" + namespace + "@" + domain
}

// RobotName is a robot's full name.
func RobotName(owner, short string) string { return owner + "+" + short }

// SplitRobotName is the inverse of RobotName; ok is false for a name that is no robot's.
func SplitRobotName(name string) (owner, short string, ok bool) { return strings.Cut(name, "+") }
