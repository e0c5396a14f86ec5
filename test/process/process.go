// Package process runs the built program as a user would: as a process of its own, on a free port, with its data in a
// folder, configured by a bundle. It is shared by the black-box tests and imports nothing of the program.
//
// A Server can be stopped as asked (Stop), killed as by a power cut (Kill) and started again on the same data (Start).
package process

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ReadyIn and StopIn are how long the program may take to answer and, when asked, to stop. Both are promised to be much
// shorter; the rest is for a machine that does other things.
const (
	ReadyIn = 5 * time.Second
	StopIn  = 15 * time.Second
)

// Options say what is run and where.
type Options struct {
	Program       string   // the program, or anything with its command line
	Folder        string   // an existing folder for configuration and data
	Configuration string   // config.yaml
	IP            net.IP   // the address to listen on, by default 127.0.0.1
	TLS           bool     // serve TLS with a certificate of an authority made for this server
	Admin         string   // address of metrics and profiles, by default none
	Flags         []string // more flags of serve
	Env           []string // more of the environment, "NAME=value"
}

// Server is a program under test.
type Server struct {
	Host   string // address:port
	Scheme string // http or https
	CA     string // PEM file of the authority that signed the certificate, "" over plain HTTP
	Config string // the configuration bundle
	Data   string
	HTTP   *http.Client // trusts CA
	Token  string       // the OAuth token of the first user, set by Initialize

	program string
	flags   []string
	env     []string
	log     locked
	process *os.Process
	ended   chan struct{}
	result  error
}

// New writes the configuration and picks a port. The program does not run yet.
func New(o Options) (*Server, error) {
	s := &Server{
		Scheme: "http", Config: filepath.Join(o.Folder, "stack"), Data: filepath.Join(o.Folder, "data"),
		HTTP: &http.Client{Timeout: 30 * time.Second}, program: o.Program, flags: append([]string{"--admin-listen=" + o.Admin}, o.Flags...), env: o.Env,
	}
	ip := o.IP
	if ip == nil {
		ip = net.IPv4(127, 0, 0, 1)
	}
	for _, folder := range []string{s.Config, s.Data} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(s.Config, "config.yaml"), []byte(o.Configuration), 0o600); err != nil {
		return nil, err
	}
	if o.TLS {
		if err := s.secure(o.Folder, ip); err != nil {
			return nil, err
		}
	}
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: ip})
	if err != nil {
		return nil, err
	}
	s.Host = listener.Addr().String()
	return s, listener.Close()
}

func (s *Server) secure(folder string, ip net.IP) error {
	s.Scheme, s.CA = "https", filepath.Join(folder, "ca.crt")
	if err := issueCertificate(ip, s.CA, filepath.Join(s.Config, "ssl.cert"), filepath.Join(s.Config, "ssl.key")); err != nil {
		return err
	}
	pem, err := os.ReadFile(s.CA)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	s.HTTP.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	return nil
}

// Start runs the program until it answers, and says how long that took.
func (s *Server) Start() (time.Duration, error) {
	args := append([]string{"serve", "--config", s.Config, "--data", s.Data, "--listen", s.Host}, s.flags...)
	command := exec.Command(s.program, args...)
	command.Env = append(os.Environ(), s.env...)
	command.Stdout, command.Stderr = &s.log, &s.log
	started := time.Now()
	if err := command.Start(); err != nil {
		return 0, err
	}
	ended := make(chan struct{})
	s.process, s.ended = command.Process, ended
	go func() {
		s.result = command.Wait()
		close(ended)
	}()
	for {
		err := s.ping()
		if err == nil {
			return time.Since(started), nil
		}
		select {
		case <-ended:
			return 0, fmt.Errorf("the program ended before it answered: %w\n%s", errors.Join(s.result), s.Log(30))
		case <-time.After(10 * time.Millisecond):
		}
		if time.Since(started) > ReadyIn {
			s.Kill()
			return 0, fmt.Errorf("no answer within %s: %w\n%s", ReadyIn, err, s.Log(30))
		}
	}
}

func (s *Server) ping() error {
	response, err := s.HTTP.Get(s.URL("/v2/"))
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusUnauthorized {
		return fmt.Errorf("GET /v2/: %s", response.Status)
	}
	return nil
}

// Stop asks the program to stop. It is an error when that takes too long, or ends with a bad exit code.
func (s *Server) Stop() error {
	_ = s.process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
		return s.result
	case <-time.After(StopIn):
		s.Kill()
		return fmt.Errorf("the program did not stop within %s of SIGTERM", StopIn)
	}
}

// Ended is closed when the program that was started last has ended, however that came.
func (s *Server) Ended() <-chan struct{} { return s.ended }

// PID is the number of the process that was started last.
func (s *Server) PID() int { return s.process.Pid }

// Kill ends the program at once and waits until it is gone.
func (s *Server) Kill() {
	_ = s.process.Kill()
	<-s.ended
}

// URL is the address of a path.
func (s *Server) URL(path string) string { return s.Scheme + "://" + s.Host + path }

// Log is the end of what the program printed since it was first started.
func (s *Server) Log(lines int) string {
	all := strings.Split(strings.TrimRight(s.log.String(), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Run runs another command of the program on the same configuration and data, and returns what it printed.
func (s *Server) Run(ctx context.Context, stdin string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, s.program, append(args, "--config", s.Config, "--data", s.Data)...)
	command.Stdin = strings.NewReader(stdin)
	out, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// locked is a buffer that the process writes to while tests read it.
type locked struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String is everything written so far.
func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
