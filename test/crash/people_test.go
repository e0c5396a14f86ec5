//go:build e2e

package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

func robotKey(name string) string { return "robot " + name }
func permissionKey(repository, robot string) string {
	return "permission " + repository + " " + robot
}
func repositoryKey(name string) string   { return "repository " + name }
func organizationKey(name string) string { return "organization " + name }

// changeRobot makes a robot, gives it a new token, or deletes it.
func (a *actor) changeRobot(ctx context.Context) error {
	if len(a.robots) == 0 || a.random.IntN(3) == 0 {
		name := fmt.Sprintf("r%d", a.serial.next())
		return a.setRobot(ctx, http.MethodPut, name, "", map[string]string{"description": "made by a test"})
	}
	if a.random.IntN(2) == 0 {
		return a.setRobot(ctx, http.MethodPost, a.robots[a.random.IntN(len(a.robots))], "/regenerate", nil)
	}
	name, _ := pop(a.random, &a.robots)
	s := a.sets(robotKey(name), "")
	r, err := a.client.change(ctx, http.MethodDelete, "user/robots/"+name, nil)
	_, err = s.answered(r, err, http.StatusNoContent)
	return err
}

// setRobot sends a request whose answer says what token the robot has.
func (a *actor) setRobot(ctx context.Context, method, name, action string, body any) error {
	s := a.sets(robotKey(name), anything)
	r, err := a.client.change(ctx, method, "user/robots/"+name+action, body)
	want := http.StatusCreated
	if action != "" {
		want = http.StatusOK
	}
	var robot struct{ Token string }
	if err == nil && r.status == want {
		if err := json.Unmarshal(r.body, &robot); err != nil || robot.Token == "" {
			return unexpected{fmt.Errorf("a robot without token: %v", r)}
		}
		a.journal.learn(s.writes[0], robot.Token)
	}
	applied, err := s.answered(r, err, want)
	if applied && action == "" {
		a.robots = append(a.robots, name)
	}
	return err
}

// changePermission gives a robot a role on a repository, or takes it away.
func (a *actor) changePermission(ctx context.Context) error {
	if len(a.robots) == 0 {
		return a.setRobot(ctx, http.MethodPut, fmt.Sprintf("r%d", a.serial.next()), "", map[string]string{})
	}
	if path, ok := pop(a.random, &a.granted); ok && a.random.IntN(2) == 0 {
		var repository, robot string
		if _, err := fmt.Sscan(path, &repository, &robot); err != nil {
			return unexpected{err}
		}
		s := a.sets(permissionKey(repository, robot), "")
		r, err := a.client.change(ctx, http.MethodDelete, "repository/"+repository+"/permissions/user/"+user+"+"+robot, nil)
		_, err = s.answered(r, err, http.StatusNoContent)
		return err
	}
	robot, repository := a.robots[len(a.robots)-1], places[0]
	a.robots = a.robots[:len(a.robots)-1] // it is not deleted any more
	role := []string{"read", "write", "admin"}[a.random.IntN(3)]
	s := a.sets(permissionKey(repository, robot), role)
	r, err := a.client.change(ctx, http.MethodPut, "repository/"+repository+"/permissions/user/"+user+"+"+robot, map[string]string{"role": role})
	applied, err := s.answered(r, err, http.StatusOK)
	if applied {
		a.granted = append(a.granted, repository+" "+robot)
	}
	return err
}

// changeRepository makes a repository, describes it, or deletes it.
func (a *actor) changeRepository(ctx context.Context) error {
	switch {
	case len(a.made) == 0 || a.random.IntN(3) == 0:
		name := fmt.Sprintf("made-%d", a.serial.next())
		s := a.sets(repositoryKey(name), "first")
		r, err := a.client.change(ctx, http.MethodPost, "repository", map[string]string{
			"namespace": user, "repository": name, "visibility": "private", "description": "first",
		})
		applied, err := s.answered(r, err, http.StatusCreated)
		if applied {
			a.made = append(a.made, name)
		}
		return err
	case a.random.IntN(2) == 0:
		name, text := a.made[a.random.IntN(len(a.made))], fmt.Sprintf("text %d", a.serial.next())
		s := a.sets(repositoryKey(name), text)
		r, err := a.client.change(ctx, http.MethodPut, "repository/"+user+"/"+name, map[string]string{"description": text})
		_, err = s.answered(r, err, http.StatusOK)
		return err
	}
	name, _ := pop(a.random, &a.made)
	s := a.sets(repositoryKey(name), "")
	r, err := a.client.change(ctx, http.MethodDelete, "repository/"+user+"/"+name, nil)
	_, err = s.answered(r, err, http.StatusNoContent)
	return err
}

// changeOrganization makes an organization, or deletes it.
func (a *actor) changeOrganization(ctx context.Context) error {
	if len(a.founded) == 0 || a.random.IntN(2) == 0 {
		name := fmt.Sprintf("org-%d", a.serial.next())
		s := a.sets(organizationKey(name), name)
		r, err := a.client.change(ctx, http.MethodPost, "organization/", map[string]string{"name": name, "email": name + "@example.org"})
		applied, err := s.answered(r, err, http.StatusCreated)
		if applied {
			a.founded = append(a.founded, name)
		}
		return err
	}
	name, _ := pop(a.random, &a.founded)
	s := a.sets(organizationKey(name), "")
	r, err := a.client.change(ctx, http.MethodDelete, "organization/"+name, nil)
	_, err = s.answered(r, err, http.StatusNoContent)
	return err
}
