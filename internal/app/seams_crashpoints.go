//go:build crashpoints

package app

import (
	"net/http"
	"slices"
	"strings"

	blobfiles "github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/content/fs/faultfs"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/fault"
	"github.com/longshore-registry/longshore/internal/problem"
)

// faultsVariable names the file with the faults that a test wants; see package fault. The points are
//
//	db/TRANSACTION/begin, before-commit, after-commit    every transaction by its name, and db/batch/… on SQLite
//	fs/OPERATION-WHAT/before, /after                     every call of faultfs on upload, object, folder, root, marker or check
//	spool/STEP/before, /after                            every step of the action log's spool; see spool.Options.Call
//	http/METHOD-WHAT/before-answer, /after-answer        every request that changes something, by what its path is about
const faultsVariable = "LONGSHORE_FAULTS"

func newSeams(p Program) (seams, error) {
	file, ok := p.Getenv(faultsVariable)
	if !ok {
		return seams{}, nil
	}
	plan, err := fault.New(file)
	if err != nil {
		return seams{}, err
	}
	return seams{
		clock: plan.Now,
		watch: func(transaction string, m db.Moment) error {
			if err := plan.Hit("db/" + transaction + "/" + string(m)); err != nil {
				return problem.Wrap(err, problem.Unavailable, "the database does not answer")
			}
			return nil
		},
		files: &faultfs.FS{System: blobfiles.OS{}, Call: faultyCalls(plan), Halves: true},
		spool: func(step string, do func() error) error { return around(plan, "spool/"+step, do) },
		// Segments are small, so that a test comes to their ends.
		spoolBytes: 8 << 20,
		answers:    func(h http.Handler) http.Handler { return faultyAnswers{plan, h} },
	}, nil
}

func faultyCalls(plan *fault.Plan) func(operation, name string, do func() error) error {
	return func(operation, name string, do func() error) error {
		return around(plan, fault.File(operation, name), do)
	}
}

// around does something between two points.
func around(plan *fault.Plan, point string, do func() error) error {
	if err := plan.Hit(point + "/before"); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return plan.Hit(point + "/after")
}

// faultyAnswers has a point before the first byte of an answer, and one when all of it is with the client.
type faultyAnswers struct {
	plan *fault.Plan
	next http.Handler
}

func (f faultyAnswers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead { // changes nothing, and is to leave by sendfile
		f.next.ServeHTTP(w, r)
		return
	}
	point := "http/" + r.Method + "-" + subject(r.URL.Path)
	f.next.ServeHTTP(&announced{ResponseWriter: w, hit: func() { _ = f.plan.Hit(point + "/before-answer") }}, r)
	_ = http.NewResponseController(w).Flush()
	_ = f.plan.Hit(point + "/after-answer")
}

// subject is the last word of a path that says what it is about.
func subject(path string) string {
	known := []string{"manifests", "uploads", "blobs", "robots", "permissions", "repository", "organization", "initialize", "tag", "signin", "signout"}
	for _, word := range slices.Backward(strings.Split(path, "/")) {
		if slices.Contains(known, word) {
			return word
		}
	}
	return "other"
}

// announced calls hit before the header goes out.
type announced struct {
	http.ResponseWriter
	hit func()
}

// Unwrap lets http.ResponseController reach the connection.
func (a *announced) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (a *announced) WriteHeader(status int) {
	a.announce()
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *announced) Write(p []byte) (int, error) {
	a.announce()
	return a.ResponseWriter.Write(p)
}

func (a *announced) announce() {
	if a.hit != nil {
		a.hit()
		a.hit = nil
	}
}
