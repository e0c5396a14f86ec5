// Package fault lets a test make a running program fail at a named point: die, wait, or be told that an operation of the
// system failed.
//
// The points are not in the product's code. They come from the seams it has anyway, a transaction's name and moment, a
// call of the file system, an answer's first byte, and only a build with the tag crashpoints (internal/app) puts a Plan
// behind them. A Plan is a file of rules that is read again when it is replaced, so that a test changes the faults of a
// process that runs.
package fault

import (
	"bufio"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Plan says what happens where. Its methods may be called concurrently.
type Plan struct {
	file string

	mu     sync.Mutex
	read   os.FileInfo // of the file that the rules are from; nil when there was none
	rules  []*rule
	offset time.Duration
	record *os.File
}

// rule is one line of a plan:
//
//	POINT kill|wait DURATION|EIO|ENOSPC|EROFS [FIRST[-LAST]]
//
// POINT may be a pattern of path.Match. FIRST and LAST count the hits since the rule was read, from 1; "3-" is all from
// the third on, no range is all.
type rule struct {
	point       string
	wait        time.Duration
	err         error
	kill        bool
	first, last int
	hits        int
}

// New gives a plan that follows a file. A file that is missing is a plan without rules.
func New(file string) (*Plan, error) {
	p := &Plan{file: file}
	return p, p.reload()
}

// Hit says that the program has come to a point. It does not return when a rule kills the process, returns late when one
// makes it wait, and returns the error of the first rule that has one.
func (p *Plan) Hit(point string) error {
	point = strings.ReplaceAll(point, " ", "-")
	p.mu.Lock()
	err := p.reload()
	wait := time.Duration(0)
	if p.record != nil {
		fmt.Fprintln(p.record, point)
	}
	for _, r := range p.rules {
		if !r.applies(point) || err != nil {
			continue
		}
		if r.kill {
			p.die(point)
		}
		wait, err = wait+r.wait, r.err
	}
	p.mu.Unlock()
	time.Sleep(wait)
	return err
}

// die ends the process as a power cut does, but for what the kernel holds. The lock is kept: nobody passes another point.
func (p *Plan) die(point string) {
	if p.record != nil {
		fmt.Fprintln(p.record, "killed at "+point)
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func (r *rule) applies(point string) bool {
	if ok, _ := path.Match(r.point, point); !ok {
		return false
	}
	r.hits++
	return r.hits >= r.first && (r.last == 0 || r.hits <= r.last)
}

// Now is the time as the plan wants it: the line "clock DURATION" moves it.
func (p *Plan) Now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.reload() // Hit reports it
	return time.Now().Add(p.offset)
}

// reload reads the rules when the file was replaced.
func (p *Plan) reload() error {
	info, err := os.Stat(p.file)
	if os.IsNotExist(err) {
		p.read, p.rules, p.offset = nil, nil, 0
		return nil
	}
	if err != nil || p.read != nil && os.SameFile(p.read, info) {
		return err
	}
	f, err := os.Open(p.file)
	if err != nil {
		return err
	}
	defer f.Close()
	p.read, p.rules, p.offset = info, nil, 0
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		if err := p.add(strings.Fields(lines.Text())); err != nil {
			return fmt.Errorf("%s line %d: %w", p.file, n, err)
		}
	}
	return lines.Err()
}

func (p *Plan) add(words []string) (err error) {
	switch {
	case len(words) == 0:
		return nil
	case len(words) == 2 && words[0] == "clock":
		p.offset, err = time.ParseDuration(words[1])
		return err
	case len(words) == 2 && words[0] == "record":
		if p.record == nil {
			p.record, err = os.OpenFile(words[1], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		}
		return err
	}
	r, err := parseRule(words)
	if err == nil {
		p.rules = append(p.rules, r)
	}
	return err
}

func parseRule(words []string) (*rule, error) {
	if len(words) < 2 {
		return nil, fmt.Errorf("%q is no rule: POINT ACTION [FIRST-LAST]", words)
	}
	r := &rule{point: words[0], first: 1}
	action, rest := words[1], words[2:]
	switch action {
	case "kill":
		r.kill = true
	case "wait":
		if len(rest) == 0 {
			return nil, fmt.Errorf("wait needs a duration")
		}
		var err error
		if r.wait, err = time.ParseDuration(rest[0]); err != nil {
			return nil, err
		}
		rest = rest[1:]
	case "EIO":
		r.err = syscall.EIO
	case "ENOSPC":
		r.err = syscall.ENOSPC
	case "EROFS":
		r.err = syscall.EROFS
	default:
		return nil, fmt.Errorf("unknown action %q: kill, wait, EIO, ENOSPC and EROFS are known", action)
	}
	if len(rest) > 0 {
		return r, r.count(rest[0])
	}
	return r, nil
}

// count reads "3", "3-" or "3-5".
func (r *rule) count(text string) (err error) {
	first, last, open := strings.Cut(text, "-")
	if r.first, err = strconv.Atoi(first); err != nil {
		return err
	}
	switch {
	case !open:
		r.last = r.first
	case last != "":
		r.last, err = strconv.Atoi(last)
	}
	return err
}

// File names a call of the blob store's file system by what it is about: upload (what is not published yet), object,
// folder (of objects), check (the probe of the health page), marker (the name that the root bears) or root.
func File(operation, name string) string {
	parent := filepath.Base(filepath.Dir(name))
	above := filepath.Base(filepath.Dir(filepath.Dir(name)))
	what := "root"
	switch {
	case strings.HasPrefix(filepath.Base(name), ".check-"):
		what = "check"
	case strings.HasPrefix(filepath.Base(name), ".longshore-location"):
		what = "marker"
	case parent == "uploads":
		what = "upload"
	case algorithm(parent):
		what = "folder"
	case algorithm(above):
		what = "object"
	}
	return "fs/" + operation + "-" + what
}

func algorithm(folder string) bool { return folder == "sha256" || folder == "sha512" }
