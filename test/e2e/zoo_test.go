//go:build e2e

package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/test/process"
)

func clients() []client {
	return []client{docker(), podman(), buildah(), skopeo(), containerd(), crane(), regctl(), oras(), helm(3), helm(4), cosign()}
}

// TestEveryCellIsDecided: a client does a cell or there is a reason, never both and never neither.
func TestEveryCellIsDecided(t *testing.T) {
	known := map[string]bool{}
	for _, c := range clients() {
		known[c.name] = true
		checks := c.checks()
		for _, cell := range allCells() {
			why, never := reason(c.name, cell)
			if _, does := checks[cell]; does == never {
				t.Errorf("%s × %s: test %t, reason %q", c.name, cell, does, why)
			}
		}
	}
	for _, i := range inabilities() {
		for _, name := range i.clients {
			if !known[name] {
				t.Errorf("a reason names the client %q, which is not in the zoo", name)
			}
		}
	}
}

// TestZoo drives every client through every cell, over plain HTTP and over TLS.
func TestZoo(t *testing.T) {
	z := newZoo(t)
	var results report
	t.Cleanup(func() { results.print(t) })
	for _, transport := range []string{"http", "tls"} {
		t.Run(transport, func(t *testing.T) {
			r := startRegistry(t, transport == "tls", process.FirstUser)
			for _, c := range clients() {
				t.Run(c.name, func(t *testing.T) { visit(t, z, r, c, results.row(c.name, transport)) })
			}
		})
	}
}

// visit runs one client's cells.
func visit(t *testing.T, z *zoo, r *registry, c client, row *row) {
	defer row.timed(time.Now())
	for _, program := range c.needs {
		if _, err := findProgram(program); err != nil {
			row.missing = program
			missing(t, program+" (make tools)")
		}
	}
	if c.root && os.Getuid() != 0 {
		row.missing = "root"
		missing(t, "root, which "+c.name+" needs here")
	}
	s := newSession(t, z, r, c)
	if c.start != nil {
		c.start(s)
	}
	checks := c.checks()
	if check := checks[logIn]; check != nil {
		row.run(t, logIn, func(t *testing.T) { check(s.in(t)) })
	}
	if err := c.login(s, r.owner); err != nil {
		t.Fatal(err)
	}
	for _, name := range allCells() {
		if check := checks[name]; check != nil && name != logIn {
			row.run(t, name, func(t *testing.T) { check(s.in(t)) })
		}
	}
}
