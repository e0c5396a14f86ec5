package logexport_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/outbound"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/server/logexport"
)

// rig is a log with three entries, a folder for exports, and somebody who is told.
type rig struct {
	t    *testing.T
	log  *audit.Log
	dir  string
	now  time.Time
	told chan logexport.Result // by the callback
	mail chan string           // what the mailer was told
	more logexport.Options     // limits
	hook string                // the callback's address
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), now: time.Now(), told: make(chan logexport.Result, 20), mail: make(chan string, 20)}
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		var result logexport.Result
		if err := json.NewDecoder(q.Body).Decode(&result); err != nil {
			t.Error(err)
		}
		r.told <- result
	}))
	t.Cleanup(hook.Close)
	r.hook = hook.URL
	d := dbtest.Open(t, dbtest.SQLite)
	var err error
	r.log, err = audit.Open(t.Context(), audit.Options{DB: d, Dir: t.TempDir(), Clock: r.clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.log.Close(context.WithoutCancel(t.Context())) })
	for range 3 {
		if err := r.log.Record(t.Context(), audit.Entry{Kind: audit.CreateRepo, NamespaceID: 1}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *rig) clock() time.Time { return r.now }

// LogsExported implements logexport.Mailer.
func (r *rig) LogsExported(_ context.Context, to, whose, status, link, missing string, life time.Duration) error {
	r.mail <- fmt.Sprintf("%s %s %s %s%s %v", to, whose, status, link, missing, life)
	return nil
}

// exporter is one that may call the hook. It runs until the context ends; then stopped is closed.
func (r *rig) exporter(ctx context.Context) (x *logexport.Exporter, stopped chan struct{}) {
	r.t.Helper()
	x, err := logexport.New(logexport.Options{
		Log: r.log, Dir: r.dir, Guard: outbound.New([]string{"127.0.0.1"}, nil), Mail: r, Clock: r.clock, Logger: slog.New(slog.DiscardHandler),
		MaxFile: r.more.MaxFile, MaxAll: r.more.MaxAll, Spare: r.more.Spare,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	stopped = make(chan struct{})
	go func() {
		defer close(stopped)
		_ = x.Run(ctx)
	}()
	return x, stopped
}

func (r *rig) request() logexport.Request {
	namespace := "acme"
	return logexport.Request{
		Query:   audit.Query{NamespaceID: 1, From: r.now.Add(-time.Hour), To: r.now.Add(time.Hour)},
		Details: audit.ExportDetails{Namespace: &namespace},
		Entry:   func(e audit.Recorded) any { return map[string]string{"kind": e.Kind} },
		Date:    func(t time.Time) string { return t.UTC().Format(time.DateTime) },
		URL:     func(path string) string { return "https://registry.test" + path }, CallbackURL: r.hook,
	}
}

// of is a request of an account.
func (r *rig) of(account int64) logexport.Request {
	q := r.request()
	q.Actor.AccountID = account
	return q
}

func (r *rig) start(x *logexport.Exporter, q logexport.Request) string {
	r.t.Helper()
	id, err := x.Start(q)
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

func (r *rig) result() logexport.Result {
	r.t.Helper()
	select {
	case result := <-r.told:
		return result
	case <-time.After(time.Minute):
		r.t.Fatal("the callback was not called")
		return logexport.Result{}
	}
}

func fetch(x *logexport.Exporter, id string) *httptest.ResponseRecorder {
	q := httptest.NewRequest(http.MethodGet, "/exportedlogs/"+id, nil)
	q.SetPathValue("id", id)
	answer := httptest.NewRecorder()
	x.ServeHTTP(answer, q)
	return answer
}

// kinds are those of the entries about exports, the newest first.
func (r *rig) kinds() (all []string) {
	r.t.Helper()
	for e, err := range r.log.All(r.t.Context(), audit.Query{NamespaceID: 1, To: r.now.Add(time.Hour), Without: []audit.Kind{audit.CreateRepo}}) {
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, e.Kind)
	}
	return all
}

func TestAFinishedExportIsThereAfterARestart(t *testing.T) {
	r := newRig(t)
	ctx, stop := context.WithCancel(t.Context())
	x, stopped := r.exporter(ctx)
	q := r.request()
	q.CallbackEmail = "alice@example.com"
	id := r.start(x, q)
	if result := r.result(); result.Status != "success" || result.URL == nil || *result.URL != "https://registry.test/exportedlogs/"+id {
		t.Errorf("%+v", result)
	}
	if mail := <-r.mail; mail != "alice@example.com acme success https://registry.test/exportedlogs/"+id+" 24h0m0s" {
		t.Error(mail)
	}
	stop()
	<-stopped
	if err := os.WriteFile(r.dir+"/00000000-0000-4000-8000-000000000000.json.part", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, _ := r.exporter(t.Context())
	if a := fetch(again, id); a.Code != http.StatusOK || strings.Count(a.Body.String(), "create_repo") != 3 || !strings.HasSuffix(a.Body.String(), `{"terminator": true}]}`) {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	r.left(id + ".0.json")
	r.now = r.now.Add(logexport.Life)
	if a := fetch(again, id); a.Code != http.StatusNotFound {
		t.Errorf("after its day: %d", a.Code)
	}
	r.exporter(t.Context())
	r.left()
}

// left expects exactly these files in the folder.
func (r *rig) left(names ...string) {
	r.t.Helper()
	entries, err := os.ReadDir(r.dir)
	if err != nil || len(entries) != len(names) {
		r.t.Fatalf("%v, %v", entries, err)
	}
	for i, e := range entries {
		if e.Name() != names[i] {
			r.t.Error(e.Name())
		}
	}
}

// TestAStopDuringAnExportIsTold stops while the first of two is in the middle of its entries.
func TestAStopDuringAnExportIsTold(t *testing.T) {
	r := newRig(t)
	ctx, stop := context.WithCancel(t.Context())
	x, stopped := r.exporter(ctx)
	begun, goOn := make(chan struct{}), make(chan struct{})
	q := r.request()
	q.Entry = func(audit.Recorded) any {
		select {
		case begun <- struct{}{}:
			<-goOn
		default:
		}
		return make(chan int) // what cannot be written ends it, as the context would at the next slice
	}
	first := r.start(x, q)
	<-begun
	second := r.start(x, r.of(2))
	stop()
	close(goOn)
	<-stopped
	for _, id := range []string{first, second} {
		if result := r.result(); result.ID != id || result.Status != "failed" || result.URL != nil {
			t.Errorf("%+v", result)
		}
		if a := fetch(x, id); a.Code != http.StatusNotFound {
			t.Errorf("%d %s", a.Code, a.Body)
		}
	}
	r.left()
	if kinds := r.kinds(); len(kinds) != 2 || kinds[0] != "export_logs_failure" || kinds[1] != "export_logs_failure" {
		t.Error(kinds)
	}
}

func TestTooManyExportsAreRefused(t *testing.T) {
	r := newRig(t)
	ended, end := context.WithCancel(t.Context())
	end()
	x, stopped := r.exporter(ended)
	<-stopped
	for n := range 16 {
		r.start(x, r.of(int64(n)))
	}
	if _, err := x.Start(r.of(17)); !problem.Is(err, problem.TooMany) || problem.From(err).RetryAfter == 0 {
		t.Error(err)
	}
}

// TestACallbackLeadsNowhereInside has a callback that is allowed redirect to an address that is not.
func TestACallbackLeadsNowhereInside(t *testing.T) {
	r := newRig(t)
	var visited atomic.Bool
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip(err) // not every system has all of 127/8
	}
	if err != nil {
		t.Fatal(err)
	}
	inside := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visited.Store(true) })}
	go func() { _ = inside.Serve(listener) }()
	t.Cleanup(func() { _ = inside.Close() })
	turned := make(chan struct{}, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		turned <- struct{}{}
		http.Redirect(w, q, "http://"+listener.Addr().String()+"/", http.StatusTemporaryRedirect)
	}))
	t.Cleanup(hook.Close)
	ctx, stop := context.WithCancel(t.Context())
	x, stopped := r.exporter(ctx)
	for _, address := range []string{
		"http://" + listener.Addr().String(), "http://169.254.169.254/latest", "http://10.0.0.1/", "http://[::1]/", "ftp://example.com/", "file:///etc/passwd",
	} {
		if err := x.CheckCallback(t.Context(), address); err == nil {
			t.Errorf("%s is called", address)
		}
	}
	q := r.request()
	q.CallbackURL = hook.URL
	r.start(x, q)
	<-turned
	stop()
	<-stopped
	if visited.Load() {
		t.Error("the redirect was followed")
	}
}

// TestAnAccountHasOneExportAtATime: who asks again is told to wait, others are not, and when it is finished there may be
// another.
func TestAnAccountHasOneExportAtATime(t *testing.T) {
	r := newRig(t)
	x, _ := r.exporter(t.Context())
	begun, goOn := make(chan struct{}), make(chan struct{})
	q := r.of(1)
	q.Entry = func(audit.Recorded) any {
		begun <- struct{}{}
		<-goOn
		return 1
	}
	r.start(x, q)
	<-begun
	if _, err := x.Start(r.of(1)); !problem.Is(err, problem.TooMany) || problem.From(err).RetryAfter == 0 {
		t.Errorf("while it is written: %v", err)
	}
	r.start(x, r.of(2))
	if _, err := x.Start(r.of(2)); !problem.Is(err, problem.TooMany) {
		t.Errorf("while it waits: %v", err)
	}
	close(goOn)
	<-begun
	<-begun
	r.result()
	r.result()
	r.start(x, r.of(1))
	r.result()
}

// TestALargeExportEndsBeforeItsOldestEntries says so in the file, to the callback, in the mail and in the log.
func TestALargeExportEndsBeforeItsOldestEntries(t *testing.T) {
	for name, limit := range map[string]func(*rig){
		"the bound of a file": func(r *rig) { r.more.MaxFile, r.more.MaxAll = 30, 100 },
		"the room on the disk": func(r *rig) {
			asked := 0
			r.more.Spare = func(string) (int64, error) { asked++; return int64(2 - asked), nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			limit(r)
			x, _ := r.exporter(t.Context())
			q := r.of(1)
			q.CallbackEmail = "a@b.c"
			q.Entry = func(audit.Recorded) any { return strings.Repeat("x", 700_000) }
			if name == "the bound of a file" {
				q.Entry = func(audit.Recorded) any { return "fifteen bytes" }
			}
			id := r.start(x, q)
			end := r.now.UTC().Format(time.DateTime)
			if result := r.result(); result.Status != "success" || result.Missing != end {
				t.Errorf("%+v", result)
			}
			if mail := <-r.mail; !strings.Contains(mail, id+end) {
				t.Error(mail)
			}
			var file struct {
				Logs      []any
				Truncated bool
			}
			if err := json.Unmarshal(fetch(x, id).Body.Bytes(), &file); err != nil || len(file.Logs) != 3 || !file.Truncated {
				t.Errorf("%d entries, %v, %v", len(file.Logs)-1, file.Truncated, err)
			}
			for e, err := range r.log.All(t.Context(), audit.Query{NamespaceID: 1, To: r.now.Add(time.Hour), Without: []audit.Kind{audit.CreateRepo}}) {
				if err != nil || !strings.Contains(string(e.Metadata), `"missing_before":"`+end) {
					t.Errorf("%s %v", e.Metadata, err)
				}
			}
		})
	}
}

func TestAFullDiskTakesNoExport(t *testing.T) {
	r := newRig(t)
	r.more.Spare = func(string) (int64, error) { return 0, nil }
	x, _ := r.exporter(t.Context())
	if _, err := x.Start(r.request()); !problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), "insufficient storage") {
		t.Error(err)
	}
}

// TestWhoHoldsMostMakesRoom has one account export again and again beside one that did once: all of it stays within the
// bound, and the modest one's file stays.
func TestWhoHoldsMostMakesRoom(t *testing.T) {
	r := newRig(t)
	r.more.MaxFile, r.more.MaxAll = 1000, 3000
	x, _ := r.exporter(t.Context())
	modest := r.start(x, r.of(1))
	r.result()
	var ids []string
	for range 12 {
		r.now = r.now.Add(time.Minute)
		ids = append(ids, r.start(x, r.of(2)))
		r.result()
	}
	var total int64
	entries, err := os.ReadDir(r.dir)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if err != nil || total > 3000 || len(entries) < 4 {
		t.Errorf("%d files of %d bytes, %v", len(entries), total, err)
	}
	for id, want := range map[string]int{modest: 200, ids[0]: 404, ids[10]: 200, ids[11]: 200} {
		if a := fetch(x, id); a.Code != want {
			t.Errorf("%s: %d, expected %d", id, a.Code, want)
		}
	}
}
