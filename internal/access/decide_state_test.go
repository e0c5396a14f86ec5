package access

import (
	"testing"

	"github.com/longshore-registry/longshore/internal/identity"
)

func TestStatesOfARepository(t *testing.T) {
	mirrorRobot := func(o *Object) { o.MirrorRobotID = robotID }
	admin := Facts{TeamRole: TeamAdmin}
	for _, c := range []struct {
		name      string
		state     State
		p         identity.Principal
		change    func(*Object)
		push      Denial
		content   Denial
		pull, adm Denial
	}{
		{"normal", Normal, user("alice"), nil, Granted, Granted, Granted, Granted},
		{"read-only", ReadOnlyState, user("alice"), nil, RepositoryState, RepositoryState, Granted, Granted},
		{"mirror, an administrator", Mirror, user("alice"), mirrorRobot, RepositoryState, RepositoryState, Granted, Granted},
		{"mirror, its robot", Mirror, robot(), mirrorRobot, Granted, RepositoryState, Granted, Granted},
		{"mirror without robot", Mirror, robot(), nil, RepositoryState, RepositoryState, Granted, Granted},
		{"organization mirror, its robot", OrganizationMirror, robot(), mirrorRobot, Granted, RepositoryState, Granted, Granted},
		{"organization mirror, another", OrganizationMirror, user("alice"), mirrorRobot, RepositoryState, RepositoryState, Granted, Granted},
		{"deleted", MarkedForDeletion, user("alice"), nil, Missing, Missing, Missing, Missing},
		{"unknown to this version", 17, user("alice"), nil, RepositoryState, RepositoryState, Granted, Granted},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := app()
			o.State = c.state
			if c.change != nil {
				c.change(&o)
			}
			for a, want := range map[Action]Denial{Push: c.push, AdministerContent: c.content, Pull: c.pull, Administer: c.adm, ChangeSettings: c.adm} {
				if d := Decide(c.p, a, o, admin, basePolicy()); d.Denial != want {
					t.Errorf("%s: denial %d, want %d (%v)", a, d.Denial, want, d.Reasons)
				}
			}
		})
	}
}

func TestAMirrorsRobotNeedsThePermissionToo(t *testing.T) {
	o := app()
	o.State, o.MirrorRobotID = Mirror, robotID
	if d := Decide(robot(), Push, o, Facts{Direct: Read}, basePolicy()); d.Denial != NoRight {
		t.Errorf("with read: %+v", d)
	}
	owner := user("alice")
	o.MirrorRobotID = aliceID
	if d := Decide(owner, Push, o, Facts{Direct: Admin}, basePolicy()); d.Denial != RepositoryState {
		t.Errorf("a user in the robot's place: %+v", d)
	}
}

func TestAStateIsToldOnlyToWhoHasTheRight(t *testing.T) {
	for name, change := range map[string]func(*Object){
		"read-only": func(o *Object) { o.State = ReadOnlyState }, "application": func(o *Object) { o.Application = true },
		"missing": func(o *Object) { o.RepositoryID = 0 }, "deleted": func(o *Object) { o.State = MarkedForDeletion },
	} {
		o := app()
		change(&o)
		for _, a := range []Action{Pull, Push, Administer} {
			if d := Decide(user("alice"), a, o, Facts{}, basePolicy()); d.Denial != NoRight {
				t.Errorf("%s, %s: a stranger is told %d", name, a, d.Denial)
			}
		}
	}
}

func TestApplicationRepositoriesHoldNoImages(t *testing.T) {
	o := app()
	o.Application = true
	for a, want := range map[Action]Denial{
		Pull: ApplicationRepository, Push: ApplicationRepository, AdministerContent: ApplicationRepository,
		Administer: Granted, ChangeSettings: Granted, InspectRepository: Granted,
	} {
		if d := Decide(user("alice"), a, o, Facts{Direct: Admin}, basePolicy()); d.Denial != want {
			t.Errorf("%s: %d, want %d", a, d.Denial, want)
		}
	}
	o.Public = true
	if d := Decide(identity.Principal{}, Pull, o, Facts{}, basePolicy()); d.Denial != ApplicationRepository {
		t.Errorf("a public one: %+v", d)
	}
}

// registry-protocol §4.4: pull of a missing repository is granted to who administers the namespace.
func TestMissingRepositories(t *testing.T) {
	o := app()
	o.RepositoryID, o.Public = 0, true
	for _, c := range []struct {
		name string
		p    identity.Principal
		f    Facts
		want map[Action]Denial
	}{
		{"administrator", user("alice"), Facts{TeamRole: TeamAdmin}, map[Action]Denial{Pull: Granted, Push: Missing, AdministerContent: Missing, Administer: Missing}},
		{"owner", user("alice"), Facts{Owner: true}, map[Action]Denial{Pull: Granted, Push: Missing, AdministerContent: Missing}},
		{"creator", user("alice"), Facts{TeamRole: TeamCreator}, map[Action]Denial{Pull: NoRight, Push: NoRight, CreateRepository: Granted}},
		{"nobody", identity.Principal{}, Facts{}, map[Action]Denial{Pull: NoRight, Push: NoRight, CreateRepository: NoRight}},
	} {
		for a, want := range c.want {
			if d := Decide(c.p, a, o, c.f, basePolicy()); d.Denial != want {
				t.Errorf("%s, %s: %d, want %d (%v)", c.name, a, d.Denial, want, d.Reasons)
			}
		}
	}
}
