package identity

import (
	"testing"
)

func TestAnInvitationsCodeConfirmsTheAddressItWentTo(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		acme := f.organization("acme", f.user("alice"))
		invite := func(email string) string {
			t.Helper()
			i, err := f.InviteToTeam(t.Context(), acme.ID, ownersTeam, 0, email, f.account("alice").ID)
			if err != nil {
				t.Fatal(err)
			}
			return i.Code
		}
		bob, err := f.CreateUser(t.Context(), NewUser{Name: "bob", Email: "bob@example.com", Password: rightPassword})
		if err != nil {
			t.Fatal(err)
		}
		own, other := invite("Bob@example.com"), invite("carol@example.com")
		for _, c := range []struct {
			claim, code string
			want        bool
		}{
			{"no code", "", false},
			{"a code that is none", "nothing", false},
			{"a code that went to another address", other, false},
			{"the code that went there", own, true},
			{"the same code again", own, true},
		} {
			got, err := f.VerifyByInvite(t.Context(), c.code, bob.ID)
			if err != nil || got.Verified != c.want {
				t.Errorf("%s: verified %v (%v), want %v", c.claim, got.Verified, err, c.want)
			}
		}
		if got := f.account("bob"); !got.Verified {
			t.Error("the account is not verified")
		}
		if _, err := f.AcceptInvite(t.Context(), own, bob.ID); err != nil {
			t.Errorf("the invitation did not stay: %v", err)
		}
	})
}
