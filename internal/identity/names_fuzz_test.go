package identity

import (
	"regexp"
	"strings"
	"testing"
)

// FuzzNames holds the names that are accepted against Quay's own expression (reference: registry protocol §2).
func FuzzNames(f *testing.F) {
	rule := regexp.MustCompile(`\A[a-z0-9]+(?:[._-][a-z0-9]+)*\z`)
	for _, s := range []string{"alice", "a", "a.b_c-d", "a..b", "-a", "a-", "Alice", "a+b", "a/b", "a b", "ä", "a\n", "\x00a", strings.Repeat("a", 256)} {
		f.Add(s, "ci")
	}
	f.Fuzz(func(t *testing.T, name, short string) {
		valid := rule.MatchString(name) && len(name) >= 2 && len(name) <= 255
		for what, err := range map[string]error{"user": ValidateUsername(name), "team": ValidateTeamName(name), "robot": ValidateRobotShortName(name)} {
			if valid != (err == nil) {
				t.Fatalf("%s %q: the rule says %v, we say %v", what, name, valid, err)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Errorf("%q: the message has line ends: %q", name, err)
			}
		}
		if !valid || ValidateRobotShortName(short) != nil {
			return
		}
		owner, rest, ok := SplitRobotName(RobotName(name, short))
		if !ok || owner != name || rest != short {
			t.Errorf("the robot %q of %q became %q of %q", short, name, rest, owner)
		}
		if ValidateUsername(RobotName(name, short)) == nil {
			t.Errorf("a user may be called as the robot %q of %q", short, name)
		}
	})
}
