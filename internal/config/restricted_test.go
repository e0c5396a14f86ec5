package config

import (
	"strings"
	"testing"
)

func TestNamesThatAnybodyMayRegisterAreWarnedOf(t *testing.T) {
	const names = "FEATURE_RESTRICTED_USERS: true\nRESTRICTED_USERS_WHITELIST: [boss]\n"
	for text, warned := range map[string]bool{
		names:                                  true,
		names + "FEATURE_USER_CREATION: false": false,
		names + "FEATURE_INVITE_ONLY_USER_CREATION: true":                     false,
		"FEATURE_RESTRICTED_USERS: true\nRESTRICTED_USERS_WHITELIST: []":      false,
		"FEATURE_RESTRICTED_USERS: false\nRESTRICTED_USERS_WHITELIST: [boss]": false,
	} {
		_, report := loadText(t, text)
		if got := findings(report.Warnings); strings.Contains(got, "RESTRICTED_USERS_WHITELIST: anybody may register") != warned {
			t.Errorf("%s: warned of %q, want it: %v", text, got, warned)
		}
	}
}
