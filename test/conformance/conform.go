package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/longshore-registry/longshore/test/process"
)

// programIn is how long a conformance program may take.
const programIn = 10 * time.Minute

// result is what a run came to.
type result struct {
	suite  suite
	counts counts
	took   time.Duration
	log    string
	failed []string
}

// good says whether nothing failed, and nothing was skipped that the server could have done.
func (r result) good() bool {
	return r.counts.failed == 0 && r.counts.skipped <= r.suite.mayskip && r.counts.passed > 0
}

// String is the summary.
func (r result) String() string {
	text := fmt.Sprintf("conformance %s: %d cases, %d passed, %d failed, %d skipped in %.1f s (%s)",
		r.suite.name, r.counts.total, r.counts.passed, r.counts.failed, r.counts.skipped, r.took.Seconds(), r.log)
	for _, line := range r.failed {
		text += "\n  " + line
	}
	return text
}

// conform runs one program against a server of its own.
func conform(ctx context.Context, server, program, out string, secure bool) (_ result, err error) {
	s, err := recognise(program)
	if err != nil {
		return result{}, err
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return result{}, err
	}
	folder, err := os.MkdirTemp("", "conformance-server-")
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	registry, err := start(ctx, process.Options{Program: server, Folder: folder, TLS: secure, Configuration: process.FirstUser})
	if err != nil {
		return result{}, err
	}
	defer func() {
		err = errors.Join(err, registry.Stop(), os.WriteFile(filepath.Join(out, "server.log"), []byte(registry.Log(1_000_000)), 0o600))
	}()

	ctx, cancel := context.WithTimeout(ctx, programIn)
	defer cancel()
	absolute, err := filepath.Abs(program)
	if err != nil {
		return result{}, err
	}
	command := exec.CommandContext(ctx, absolute)
	command.Dir = out
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder}, s.environment(registry, out)...)
	started := time.Now()
	output, failure := command.CombinedOutput() // a failed case makes it fail: the counts tell
	took := time.Since(started)
	log := filepath.Join(out, "output.txt")
	if err := os.WriteFile(log, output, 0o600); err != nil {
		return result{}, err
	}
	counted, err := s.count(string(output))
	if err != nil {
		return result{}, errors.Join(err, failure, errors.New("see "+log))
	}
	return result{s, counted, took, log, failures(string(output))}, nil
}

// start runs a fresh server with the user, the organization and the two repositories that the programs need.
func start(ctx context.Context, o process.Options) (*process.Server, error) {
	absolute, err := filepath.Abs(o.Program)
	if err != nil {
		return nil, err
	}
	o.Program = absolute
	registry, err := process.New(o)
	if err != nil {
		return nil, err
	}
	if _, err := registry.Start(); err != nil {
		return nil, err
	}
	err = registry.Initialize(ctx, user, password)
	if err == nil {
		err = registry.CreateOrganization(ctx, organization)
	}
	if err != nil {
		return nil, errors.Join(err, registry.Stop())
	}
	return registry, nil
}

// failures are the lines of both programs' output that name a case that did not pass.
func failures(output string) []string {
	var lines []string
	for line := range strings.Lines(colour.ReplaceAllString(output, "")) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[FAIL]") || strings.HasPrefix(line, "OCI Conformance Test/") && (strings.HasSuffix(line, ": FAIL") || strings.HasSuffix(line, ": Error") || strings.HasSuffix(line, ": Skip")) {
			lines = append(lines, line)
		}
	}
	return lines
}
