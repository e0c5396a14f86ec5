//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"syscall"
	"time"
)

// daemonIn is how long a daemon may take until it answers, and until it has stopped.
const daemonIn = 60 * time.Second

// runDaemon runs a daemon until the session's test ends. It is stopped by its process id.
func (s *session) runDaemon(name string, args []string, ready func() bool) {
	s.t.Helper()
	program, err := findProgram(args[0])
	s.check(err)
	log, err := os.Create(s.path(name + ".log"))
	s.check(err)
	command := exec.Command(program, args[1:]...)
	command.Env, command.Dir, command.Stdout, command.Stderr = s.env, s.home, log, log
	s.check(command.Start())
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t := s.t
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(daemonIn):
			_ = command.Process.Kill()
			t.Errorf("%s did not stop within %s of SIGTERM", name, daemonIn)
		}
		log.Close()
		if data, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("last lines of %s:\n%s", name, tail(string(data), 30))
		}
	})
	for started := time.Now(); !ready(); time.Sleep(200 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			data, _ := os.ReadFile(log.Name())
			t.Fatalf("%s ended before it answered: %v\n%s", name, err, tail(string(data), 20))
		default:
		}
		if time.Since(started) > daemonIn {
			t.Fatalf("%s does not answer after %s", name, daemonIn)
		}
	}
}
