package identity

import (
	"context"
	"testing"

	"github.com/longshore-registry/longshore/internal/problem"
)

// meddler is an issuer's answer that takes its time: meanwhile something is done. It finds every token right.
type meddler struct{ meanwhile func() }

func (m *meddler) Verify(_ context.Context, _ string, rules []TrustRule) (TrustRule, error) {
	if len(rules) == 0 {
		return TrustRule{}, unauthenticated("no rule")
	}
	m.meanwhile()
	return rules[0], nil
}

// TestWhatChangesWhileAnIssuerIsAskedEndsTheExchange changes what an exchange began with before it ends.
func TestWhatChangesWhileAnIssuerIsAskedEndsTheExchange(t *testing.T) {
	rule := TrustRule{Issuer: "https://ci.example", Subject: "main"}
	other := TrustRule{Issuer: "https://ci.example", Subject: "release"}
	verifier := &meddler{}
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		f.robot(alice, "bot")
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			name      string
			meanwhile func()
			refused   bool
		}{
			{"nothing", func() {}, false},
			{"the rule is replaced", func() { must(f.SetRobotFederation(t.Context(), alice, "bot", []TrustRule{other})) }, true},
			{"the rules are removed", func() { must(f.SetRobotFederation(t.Context(), alice, "bot", nil)) }, true},
			{"the robot's token is regenerated", func() {
				_, err := f.RegenerateRobot(t.Context(), alice, "bot")
				must(err)
			}, true},
			{"the robot is deleted", func() { must(f.DeleteRobot(t.Context(), alice, "bot")) }, true},
		} {
			must(f.SetRobotFederation(t.Context(), alice, "bot", []TrustRule{rule}))
			if _, err := f.Resolve(t.Context(), RobotToken, "alice+bot"); err != nil { // it is remembered as it was
				t.Fatal(err)
			}
			verifier.meanwhile = c.meanwhile
			if _, _, err := f.Federated(t.Context(), "alice+bot", "token"); problem.Is(err, problem.Unauthenticated) != c.refused {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}, func(o *Options) { o.Federation = verifier })
}
