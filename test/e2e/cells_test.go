//go:build e2e

package e2e

import (
	"path"
)

// cell is a column of the zoo: something a client does.
type cell string

// Every cell, in the order in which they are run and printed.
const (
	logIn        cell = "log in"
	push         cell = "push"
	pull         cell = "pull"
	fiveSegments cell = "five segments"
	asRobot      cell = "robot"
	gzipLayers   cell = "gzip"
	zstdLayers   cell = "zstd"
	multiArch    cell = "index"
	seekable     cell = "seekable"
	encrypted    cell = "encrypted"
	artifact     cell = "artifact"
	referrers    cell = "referrers"
	signatureTag cell = ".sig tag"
	chartPush    cell = "chart push"
	chartPull    cell = "chart pull"
	chartInstall cell = "chart install"
	remove       cell = "delete"
)

func allCells() []cell {
	return []cell{logIn, push, pull, fiveSegments, asRobot, gzipLayers, zstdLayers, multiArch, seekable, encrypted,
		artifact, referrers, signatureTag, chartPush, chartPull, chartInstall, remove}
}

// client is a row of the zoo.
type client struct {
	name  string
	needs []string // programs
	root  bool     // works as root only, the way it is used here
	// configure prepares every session, start runs what all sessions of the client share: its daemon. Both may be nil.
	configure func(s *session)
	start     func(s *session)
	// login logs in; probe, where the login itself asks the registry nothing, is a request that needs it.
	login func(s *session, c credential) error
	probe func(s *session) error
	// place puts the smallest thing of this client's kind into a repository as tag v1 (a chart: its own version) and
	// returns the digest that the client reports.
	place func(s *session, repository string) (digest string, err error)
	// fetch gets it back by digest and checks what came.
	fetch func(s *session, repository, digest string) error
	// cells are the columns beyond what login, place and fetch cover.
	cells map[cell]func(s *session)
}

// checks are all the columns that a client has a test for.
func (c client) checks() map[cell]func(s *session) {
	checks := map[cell]func(s *session){
		push: checkPush, pull: checkPull, fiveSegments: checkFiveSegments, asRobot: checkRobot,
	}
	if _, never := reason(c.name, logIn); !never {
		checks[logIn] = checkLogIn
	}
	for name, check := range c.cells {
		checks[name] = check
	}
	return checks
}

// checkLogIn: a wrong password is refused, the right one of a user made at the command line is taken.
func checkLogIn(s *session) {
	visitor := credential{"visitor-" + s.client.name, "sesame-open-4711"}
	s.registry.addUser(s.t, visitor)
	try := func(c credential) error {
		guest := s.fresh(s.t)
		guest.login = c // for the probe
		if err := s.client.login(guest, c); err != nil || s.client.probe == nil {
			return err
		}
		return s.client.probe(guest)
	}
	// Not the visitor's own name: a failed login makes the next one wait.
	if try(credential{"nobody-" + visitor.user, "wrong"}) == nil {
		s.t.Fatal("a wrong password was taken")
	}
	s.check(try(visitor))
}

// checkPush: the digest that the client reports is the one the registry stores.
func checkPush(s *session) {
	repository := s.repository("push")
	digest, err := s.client.place(s, repository)
	s.check(err)
	if _, ok := s.registry.manifest(s.t, repository, digest); !ok {
		s.t.Fatalf("the client reported %s and the registry does not have it", digest)
	}
}

// checkPull: what was pushed comes back by its digest.
func checkPull(s *session) {
	repository := s.repository("pull")
	digest, err := s.client.place(s, repository)
	s.check(err)
	s.check(s.client.fetch(s, repository, digest))
}

// checkFiveSegments: a name of five segments below the host, and its neighbour of four stays empty.
func checkFiveSegments(s *session) {
	repository := s.repository("deep/er/still")
	digest, err := s.client.place(s, repository)
	s.check(err)
	s.check(s.client.fetch(s, repository, digest))
	if _, ok := s.registry.manifest(s.t, path.Dir(repository), digest); ok {
		s.t.Fatalf("%s holds what was pushed to %s", path.Dir(repository), repository)
	}
}

// checkRobot: a robot pushes and pulls where it was granted write and nowhere else.
func checkRobot(s *session) {
	granted, other := s.repository("robot"), s.repository("not-for-robots")
	s.registry.grantRobot(s.t, granted)
	s.registry.createRepository(s.t, other)
	robot := s.fresh(s.t)
	s.check(s.client.login(robot, s.registry.robot))
	digest, err := s.client.place(robot, granted)
	s.check(err)
	s.check(s.client.fetch(robot, granted, digest))
	if _, err := s.client.place(robot, other); err == nil {
		s.t.Fatalf("the robot pushed to %s, where it has no permission", other)
	} else {
		s.t.Logf("refused as it should be: %s", tail(err.Error(), 2))
	}
}
