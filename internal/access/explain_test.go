package access

import (
	"slices"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/identity"
)

// TestAnExplanationNamesTheDefaultPermission that a role may have come from, as long as the subject has that role.
func TestAnExplanationNamesTheDefaultPermission(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		prototype, err := f.AddPrototype(t.Context(), f.acme.ID, 0, Subject{AccountID: f.bob.ID}, Read)
		if err != nil {
			t.Fatal(err)
		}
		app := f.create(f.acme, "app", f.alice.ID)
		want := "the permission of bob may come from the default permission " + prototype.UUID + ": read on repositories that anyone creates in acme"
		bob := Subject{AccountID: f.bob.ID}
		for _, step := range []struct {
			claim string
			do    func() error
			named bool
		}{
			{"the role that it gave", func() error { return nil }, true},
			{"another role", func() error { return f.Grant(t.Context(), app.RepositoryID, bob, Write) }, false},
			{"the same role by hand", func() error { return f.Grant(t.Context(), app.RepositoryID, bob, Read) }, true},
			{"a permission that was taken away", func() error { _, err := f.Revoke(t.Context(), app.RepositoryID, bob); return err }, false},
			{"a default permission that is gone", func() error {
				if err := f.Grant(t.Context(), app.RepositoryID, bob, Read); err != nil {
					return err
				}
				return f.DeletePrototype(t.Context(), f.acme.ID, prototype.UUID)
			}, false},
		} {
			if err := step.do(); err != nil {
				t.Fatal(step.claim, err)
			}
			if reasons := f.explain(f.bob, app).Reasons; slices.Contains(reasons, want) != step.named {
				t.Errorf("%s: %q", step.claim, reasons)
			}
		}
	})
}

// TestAnExplanationSaysThatAnAccountIsDisabled before all else, and that nothing is allowed although it has the right.
func TestAnExplanationSaysThatAnAccountIsDisabled(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		app := f.repository(f.acme, "app")
		if err := f.Grant(t.Context(), app.RepositoryID, Subject{AccountID: f.bob.ID}, Read); err != nil {
			t.Fatal(err)
		}
		if d := f.explain(f.bob, app); !d.Allowed || strings.Contains(strings.Join(d.Reasons, "\n"), "disabled") {
			t.Fatalf("%+v", d)
		}
		if err := f.ids.SetEnabled(t.Context(), f.bob.ID, false); err != nil {
			t.Fatal(err)
		}
		bob, err := f.ids.Account(t.Context(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		d := f.explain(bob, app)
		if d.Allowed || len(d.Reasons) == 0 || d.Reasons[0] != "the account bob is disabled: none of its credentials works" {
			t.Errorf("%+v", d)
		}
	})
}

func (f *fixture) explain(who identity.Account, o Object) Decision {
	f.t.Helper()
	p, err := Suppose(who, "")
	if err != nil {
		f.t.Fatal(err)
	}
	d, err := f.Explain(f.t.Context(), p, Pull, o)
	if err != nil {
		f.t.Fatal(err)
	}
	return d
}
