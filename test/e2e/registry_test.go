//go:build e2e

package e2e

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/test/process"
)

// organization is where every client pushes to.
const organization = "zoo"

// registry is a running program with its first user, an organization and a robot.
type registry struct {
	*process.Server
	owner credential // the first user
	robot credential // a robot of the organization
}

type credential struct{ user, password string }

// startRegistry is emptyRegistry with the first user, the organization and the robot.
func startRegistry(t *testing.T, withTLS bool, configuration string) *registry {
	t.Helper()
	r := emptyRegistry(t, withTLS, configuration)
	r.initialize(t)
	return r
}

// emptyRegistry runs the program with a configuration until the test ends. Over TLS it listens on an address that no
// client takes for its own machine, because some do not check certificates there.
func emptyRegistry(t *testing.T, withTLS bool, configuration string) *registry {
	t.Helper()
	options := process.Options{Program: programPath(t), Folder: temporary(t), Configuration: configuration, TLS: withTLS}
	if withTLS {
		options.IP = outwardAddress(t)
	}
	server, err := process.New(options)
	if err != nil {
		t.Fatal(err)
	}
	took, err := server.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s answers after %s", server.URL("/v2/"), took.Round(time.Millisecond))
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("last lines of the program's log:\n%s", server.Log(40))
		}
	})
	return &registry{Server: server, owner: credential{"keeper", "correct-horse-battery"}}
}

// programPath is the program under test.
func programPath(t *testing.T) string {
	path := os.Getenv("LONGSHORE_E2E_SERVER")
	if path == "" {
		path = "../../bin/longshore"
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		missing(t, "the program: "+err.Error()+" (make build)")
	}
	return path
}

// outwardAddress is an IPv4 address of this machine that is not loopback.
func outwardAddress(t *testing.T) net.IP {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP
		}
	}
	missing(t, "an IPv4 address other than loopback: docker trusts every certificate on 127.0.0.0/8")
	return nil
}

// initialize makes the first user, the organization and its robot.
func (r *registry) initialize(t *testing.T) {
	t.Helper()
	if err := r.Initialize(t.Context(), r.owner.user, r.owner.password); err != nil {
		t.Fatal(err)
	}
	if err := r.CreateOrganization(t.Context(), organization); err != nil {
		t.Fatal(err)
	}
	var robot struct{ Name, Token string }
	r.api(t, http.StatusCreated, http.MethodPut, "organization/"+organization+"/robots/loader", map[string]any{"description": "e2e"}, &robot)
	if robot.Name != organization+"+loader" || robot.Token == "" {
		t.Fatalf("the robot's name is %q and its token has %d characters", robot.Name, len(robot.Token))
	}
	r.robot = credential{robot.Name, robot.Token}
}

// grantRobot makes a private repository that the robot may write.
func (r *registry) grantRobot(t *testing.T, repository string) {
	t.Helper()
	r.createRepository(t, repository)
	r.api(t, http.StatusOK, http.MethodPut, "repository/"+repository+"/permissions/user/"+url.PathEscape(r.robot.user), map[string]any{"role": "write"}, nil)
}

func (r *registry) createRepository(t *testing.T, repository string) {
	t.Helper()
	namespace, name, _ := strings.Cut(repository, "/")
	if err := r.CreateRepository(t.Context(), namespace, name); err != nil {
		t.Fatal(err)
	}
}

// addUser makes a user at the command line, beside the running server.
func (r *registry) addUser(t *testing.T, c credential) {
	t.Helper()
	if _, err := r.Run(t.Context(), c.password+"\n", "user", "create", c.user, "--password-stdin", "--email", c.user+"@example.org"); err != nil {
		t.Fatal(err)
	}
}

// api calls the REST API as the first user.
func (r *registry) api(t *testing.T, want int, method, path string, body, into any) {
	t.Helper()
	if err := r.API(t.Context(), want, method, path, body, into); err != nil {
		t.Fatal(err)
	}
}
