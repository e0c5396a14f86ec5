package identity

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
)

// witness is a recorder that fails on command.
type witness struct {
	fail  error
	kinds []string
}

func (w *witness) Change(_ context.Context, _ db.Tx, kind string, _, _ int64, _ ...map[string]any) error {
	if w.fail == nil {
		w.kinds = append(w.kinds, kind)
	}
	return w.fail
}

// TestAChangeThatCannotBeRecordedDoesNotHappen makes each change with a log that fails, then with one that works: the
// second could not succeed if the first had left something.
func TestAChangeThatCannotBeRecordedDoesNotHappen(t *testing.T) {
	log := &witness{}
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		*log = witness{}
		alice := f.user("alice")
		acme := f.organization("acme", alice)
		text := func(s string) *string { return &s }
		var app string
		for _, change := range []struct {
			kinds []string
			do    func() error
		}{
			{[]string{"user_create"}, func() error { _, err := f.CreateUser(ctx, NewUser{Name: "carol"}); return err }},
			{[]string{"org_create"}, func() error { _, err := f.CreateOrganization(ctx, "other", "", alice.ID); return err }},
			{[]string{"org_delete"}, func() error {
				other, err := f.Account(ctx, "other")
				if err != nil {
					return err
				}
				return f.DeleteOrganization(ctx, other.ID)
			}},
			{[]string{"create_robot"}, func() error { _, err := f.CreateRobot(ctx, acme, "ci", "", ""); return err }},
			{[]string{"regenerate_robot_token"}, func() error { _, err := f.RegenerateRobot(ctx, acme, "ci"); return err }},
			{[]string{"delete_robot"}, func() error { return f.DeleteRobot(ctx, acme, "ci") }},
			{[]string{"org_create_team"}, func() error { _, _, err := f.SetTeam(ctx, acme.ID, "devs", TeamMember, nil); return err }},
			{[]string{"org_set_team_description", "org_set_team_role"}, func() error {
				_, _, err := f.SetTeam(ctx, acme.ID, "devs", TeamCreator, text("new"))
				return err
			}},
			{[]string{"org_add_team_member"}, func() error { return f.AddTeamMember(ctx, acme.ID, "devs", alice.ID) }},
			{[]string{"org_remove_team_member"}, func() error { return f.RemoveTeamMember(ctx, acme.ID, "devs", alice.ID) }},
			{[]string{"org_delete_team"}, func() error { return f.DeleteTeam(ctx, acme.ID, "devs") }},
			{[]string{"create_app_specific_token"}, func() (err error) {
				app, _, err = f.CreateAppToken(ctx, alice.ID, "laptop", 0)
				return err
			}},
			{[]string{"revoke_app_specific_token"}, func() error { return f.DeleteAppToken(ctx, alice.ID, app) }},
			{[]string{"account_change_password"}, func() error { return f.SetPassword(ctx, alice.ID, "another-horse") }},
			{[]string{"logout_success"}, func() error { return f.EndSessions(ctx, alice.ID) }},
			{[]string{"user_disable"}, func() error { return f.SetEnabled(ctx, alice.ID, false) }},
			{[]string{"user_enable"}, func() error { return f.SetEnabled(ctx, alice.ID, true) }},
		} {
			*log = witness{fail: errors.New("no room")}
			if err := change.do(); !errors.Is(err, log.fail) {
				t.Errorf("%v went through without its entry: %v", change.kinds, err)
			}
			*log = witness{}
			if err := change.do(); err != nil {
				t.Errorf("%v: %v", change.kinds, err)
			}
			if diff := cmp.Diff(change.kinds, log.kinds); diff != "" {
				t.Error(diff)
			}
		}
	}, func(o *Options) { o.Audit, o.AuditLogins = log, true })
}
