// Package logexport writes exports of the action log in the background, serves them, and tells who asked.
//
// An export is a file in a folder of the process's own, under a name that nobody can guess, for Life. One is written at
// a time; a few may wait, one of each account. A file that would become too large, or fill the disk, ends before its
// oldest entries, and says so. When the files together become too large, the account that holds the most loses its
// oldest before its time. Exports live as long as the process does: one that is stopped in order says that it failed, in
// the log and to its callback; one whose process is killed is gone without a word, and what it had written is removed at
// the next start. Finished files outlive both.
package logexport

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/audit"
	blobfiles "github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/outbound"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/server/record"
)

const (
	// Life is how long a finished export can be fetched.
	Life = 24 * time.Hour
	// longest is what writing one may take.
	longest = time.Hour
	// MaxFile is how large an export becomes, in bytes: some two million entries. MaxAll is what all hold together.
	MaxFile = 1 << 30
	MaxAll  = 8 << 30
	// waiting is how many exports may wait.
	waiting    = 16
	sweepEvery = 10 * time.Minute
	farewell   = 3 * time.Second // for telling that an export failed when the process stops
)

// Mailer tells people by mail.
type Mailer interface {
	// LogsExported sends the mail "Export Action Logs Complete" about the log of whose, a namespace or repository. status
	// is that of Result; link, which works for life, is empty where there is no file. Entries from before missing, a date,
	// are not in it; empty: all are. It is not tried again.
	LogsExported(ctx context.Context, to, whose, status, link, missing string, life time.Duration) error
}

// Options are what an exporter works with. Log, Dir, Guard, Clock and Logger are required.
type Options struct {
	Log    *audit.Log
	Dir    string // folder of the files; it is made
	Guard  *outbound.Guard
	Mail   Mailer // nil: nobody is told by mail
	Clock  func() time.Time
	Logger *slog.Logger

	PerAccount      int                                // exports of one account that may wait or be written; 0 for one
	MaxFile, MaxAll int64                              // bytes of one and of all exports; 0 for MaxFile and MaxAll
	Spare           func(folder string) (int64, error) // bytes that a folder's disk has to spare; nil for those that the blob store would take
}

// Exporter writes exports. Its methods may be called concurrently.
type Exporter struct {
	options Options
	client  *http.Client
	queue   chan Request

	mu   sync.Mutex
	busy map[int64]int // by account: exports that wait or are written
}

// Request is an export that somebody asks for.
type Request struct {
	Query   audit.Query
	Details audit.ExportDetails
	Entry   func(audit.Recorded) any // an entry's JSON form
	Date    func(time.Time) string   // a time as the API writes it
	URL     func(path string) string // the client's address of a path of ours
	Actor   audit.Actor              // who asks; the entry about the export is theirs

	CallbackURL, CallbackEmail string // empty for none

	id string
}

// Result is what a callback is told: Quay's body.
type Result struct {
	ID         string  `json:"export_id"`
	StartTime  string  `json:"start_time"`
	EndTime    string  `json:"end_time"`
	Namespace  *string `json:"namespace"`
	Repository *string `json:"repository"`
	URL        *string `json:"exported_data_url"`
	Status     string  `json:"status" enum:"success,failed,timedout"`
	// Missing is set when the file ends before its oldest entries: those from before this time are not in it.
	Missing string `json:"missing_before,omitempty"`
}

// New makes an exporter and removes what an earlier process has not finished. Run must be running for anything to be
// written.
func New(o Options) (*Exporter, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, problem.Wrap(err, problem.Unavailable, "the folder of exported logs cannot be made")
	}
	if o.MaxFile <= 0 {
		o.MaxFile, o.MaxAll = MaxFile, MaxAll
	}
	if o.PerAccount <= 0 {
		o.PerAccount = 1
	}
	if o.Spare == nil {
		o.Spare = func(folder string) (int64, error) { return blobfiles.Spare(blobfiles.OS{}, folder) }
	}
	x := &Exporter{options: o, client: o.Guard.Client(callTimeout), queue: make(chan Request, waiting), busy: map[int64]int{}}
	return x, x.sweep(true)
}

// Mails reports whether anybody can be told by mail.
func (x *Exporter) Mails() bool { return x.options.Mail != nil }

// CheckCallback refuses an address that the registry does not call; see outbound.Guard.CheckURL.
func (x *Exporter) CheckCallback(ctx context.Context, raw string) error {
	return x.options.Guard.CheckURL(ctx, raw)
}

// Start queues an export and gives its identifier, by which it can be fetched when it is finished. TooMany when one of
// the account waits or is written, or too many wait; Unavailable when the disk is full.
func (x *Exporter) Start(r Request) (id string, err error) {
	if !x.hasRoom() {
		full := problem.New(problem.Unavailable, "insufficient storage: there is no room for exports of logs")
		full.RetryAfter = time.Minute
		return "", full
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.busy[r.Actor.AccountID] >= x.options.PerAccount {
		return "", tooMany("another export of logs that you asked for is not finished: ask again when it is")
	}
	r.id = uuid.NewString()
	select {
	case x.queue <- r:
		x.busy[r.Actor.AccountID]++
		return r.id, nil
	default:
		return "", tooMany("%d exports of logs wait already: try again later", waiting)
	}
}

func tooMany(format string, args ...any) error {
	e := problem.New(problem.TooMany, format, args...)
	e.RetryAfter = time.Minute
	return e
}

// finished lets an account ask for another export.
func (x *Exporter) finished(r Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.busy[r.Actor.AccountID]--; x.busy[r.Actor.AccountID] == 0 {
		delete(x.busy, r.Actor.AccountID)
	}
}

// Run writes what is asked for until ctx ends, and removes old files. What waits then has failed.
func (x *Exporter) Run(ctx context.Context) error {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return x.giveUp(ctx)
		case r := <-x.queue:
			x.export(ctx, r)
		case <-ticker.C:
			if err := x.sweep(false); err != nil {
				x.options.Logger.Warn("old exports of logs could not be removed; it is tried again", "error", err)
			}
		}
	}
}

// giveUp tells those who still wait.
func (x *Exporter) giveUp(ctx context.Context) error {
	for {
		select {
		case r := <-x.queue:
			x.export(ctx, r)
		default:
			return nil
		}
	}
}

// partial is the end of the name of a file that is being written.
const partial = ".part"

// sweep removes files that are too old, and at the start those that nobody writes any more.
func (x *Exporter) sweep(start bool) error {
	entries, err := os.ReadDir(x.options.Dir)
	if err != nil {
		return err
	}
	var failed error
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // it is gone
		}
		old := x.options.Clock().Sub(info.ModTime()) >= Life
		if unfinished := strings.HasSuffix(e.Name(), partial); unfinished && !start || !unfinished && !old {
			continue
		}
		if err := os.Remove(filepath.Join(x.options.Dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = err
		}
	}
	return failed
}

// ServeHTTP answers GET /exportedlogs/{id} with a finished export. Who knows its identifier may have it.
func (x *Exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	record.From(r.Context()).Route = "exportedlogs"
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Type", "application/json")
	path := x.path(r.PathValue("id"))
	if path == "" {
		missing(w)
		return
	}
	file, err := os.Open(path)
	if err != nil {
		missing(w)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || x.options.Clock().Sub(info.ModTime()) >= Life {
		missing(w)
		return
	}
	header.Set("Content-Disposition", `attachment; filename="logs.json"`)
	http.ServeContent(w, r, "", info.ModTime(), file)
}

func missing(w http.ResponseWriter) {
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, `{"error":"There is no such export, or it was removed after its day"}`+"\n")
}
