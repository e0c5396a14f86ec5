package oauth

import (
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/problem"
)

func TestOnlyAWebAddressIsALink(t *testing.T) {
	for _, c := range []struct {
		uri     string
		allowed bool
		link    string
	}{
		{"", true, ""},
		{"https://ci.example/about", true, "https://ci.example/about"},
		{"HTTP://ci.example", true, "HTTP://ci.example"},
		{"ci.example", true, ""},
		{"our build server", true, ""},
		{"javascript:alert(1)", true, ""},
		{"data:text/html,x", true, ""},
		{"//ci.example", true, ""},
		{"https:ci.example", true, ""},
		{"https://ci.example/\n", false, ""},
		{"java\tscript:alert(1)", false, ""},
		{"\x00", false, ""},
		{strings.Repeat("x", maxText), true, ""},
		{strings.Repeat("x", maxText+1), false, ""},
	} {
		d := Details{Name: "ci", ApplicationURI: c.uri}
		if err := d.check(); (err == nil) != c.allowed || err != nil && !problem.Is(err, problem.Invalid) {
			t.Errorf("%.40q: %v, want it allowed: %v", c.uri, err, c.allowed)
		}
		if got := d.Link(); c.allowed && got != c.link {
			t.Errorf("%.40q links to %q, want %q", c.uri, got, c.link)
		}
	}
}
