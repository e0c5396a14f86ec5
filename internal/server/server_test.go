package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/secret"
	"github.com/longshore-registry/longshore/internal/server/record"
)

func options(distribution http.HandlerFunc, log io.Writer) Options {
	return Options{
		Listen: "127.0.0.1:0", Network: "tcp", Grace: 5 * time.Second, Namespace: "quay",
		Distribution: distribution, API: http.NotFoundHandler(), Legacy: http.NotFoundHandler(), Root: http.NotFoundHandler(),
		Log: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// start runs a server until the test ends and gives its URL and a function that begins its shutdown.
func start(t *testing.T, o Options) (url string, stop func() error) {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	address, done := make(chan net.Addr, 1), make(chan error, 1)
	go func() { done <- s.Run(ctx, func(a net.Addr) { address <- a }) }()
	select {
	case a := <-address:
		url = "http://" + a.String()
	case err := <-done:
		t.Fatal(err)
	}
	stop = func() error {
		cancel()
		return <-done
	}
	t.Cleanup(cancel)
	return url, stop
}

func TestAFileLeavesThroughTheWholeChainBySendfile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blob")
	content := strings.Repeat("0123456789abcdef", 700_000) // more than two pieces
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var readFrom bool
	url, _ := start(t, options(func(w http.ResponseWriter, r *http.Request) {
		file, err := os.Open(path)
		if err != nil {
			t.Error(err)
			return
		}
		defer file.Close()
		_, readFrom = w.(io.ReaderFrom)
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		w.Header().Set("Content-Type", "application/octet-stream")
		if n, err := io.Copy(w, io.LimitReader(file, int64(len(content)))); err != nil || n != int64(len(content)) {
			t.Errorf("copied %d bytes, %v", n, err)
		}
	}, io.Discard))
	res, err := http.Get(url + "/v2/x")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || string(got) != content {
		t.Fatalf("received %d of %d bytes, %v", len(got), len(content), err)
	}
	if !readFrom {
		t.Error("the response writer hides io.ReaderFrom: files would be copied through user space")
	}
}

func TestAShutdownLetsRequestsInFlightFinish(t *testing.T) {
	entered := make(chan struct{})
	url, stop := start(t, options(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		time.Sleep(300 * time.Millisecond)
		_, _ = io.WriteString(w, "done")
	}, io.Discard))
	answer := make(chan string, 1)
	go func() {
		res, err := http.Get(url + "/v2/x")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		answer <- string(b)
	}()
	<-entered
	if err := stop(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if got := <-answer; got != "done" {
		t.Errorf("the request in flight got %q", got)
	}
	if _, err := http.Get(url + "/v2/x"); err == nil {
		t.Error("a request after the shutdown was answered")
	}
}

func TestAPanicIsA500AndOneLogLine(t *testing.T) {
	var log strings.Builder
	s, err := New(options(func(http.ResponseWriter, *http.Request) { panic("broken invariant") }, &log))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	func() {
		defer func() {
			if p := recover(); !errors.Is(asError(p), http.ErrAbortHandler) {
				t.Errorf("the connection is not cut: %v", p)
			}
		}()
		s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/v2/x", nil))
	}()
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "internal error, request ") {
		t.Errorf("answer %d %q", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "broken invariant") || !strings.Contains(log.String(), `"status":500`) {
		t.Errorf("log: %s", log.String())
	}
}

func TestARequestIsOneLogLineWithWhatHandlersLearned(t *testing.T) {
	var log strings.Builder
	s, _ := New(options(func(w http.ResponseWriter, r *http.Request) {
		rec := record.From(r.Context())
		rec.Route, rec.Actor, rec.Repository, rec.Err = "manifest.get", "alice", "acme/app", errors.New("why")
		w.WriteHeader(http.StatusNotFound)
	}, &log))
	s.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/v2/acme/app/manifests/x", nil))
	line := log.String()
	for _, want := range []string{`"route":"manifest.get"`, `"status":404`, `"actor":"alice"`, `"repository":"acme/app"`, `"error":"why"`, `"request":"`} {
		if !strings.Contains(line, want) {
			t.Errorf("log line lacks %s: %s", want, line)
		}
	}
	if strings.Count(line, "\n") != 1 {
		t.Errorf("%d lines: %s", strings.Count(line, "\n"), line)
	}
}

func TestHealthNamesWhatIsUnwell(t *testing.T) {
	o := options(nil, io.Discard)
	o.Checks = []Check{
		{Name: "database", Instance: true, EndToEnd: true, Run: func(context.Context) error { return nil }},
		{Name: "storage", EndToEnd: true, Run: func(context.Context) error { return errors.New("read-only file system") }},
		{Name: "disk_space_warning", Warning: true, Run: func(context.Context) error { return nil }},
	}
	o.Health = HealthDetails{Provider: "file", Hostname: "here", Key: func() string { return "kid" }, Sees: func(r *http.Request) bool { return r.Header.Get("Cookie") == "root" }}
	const details = `{"data":{"config_provider":"file","hostname":"here","is_testing":false,"local_service_key_id":"kid","notes":{"storage":"read-only file system"},` +
		`"services":{"database":true,"storage":false},"services_expanded":{"database":{"status":true},"storage":{"failure":"read-only file system","status":false}}},"status_code":503}`
	o.HealthDebug = secret.New("tell me")
	s, _ := New(o)
	for path, want := range map[string]string{
		"/status?debug=guess":     `{"data":{"services":{"database":true,"storage":false}},"status_code":503}`,
		"/status?debug=tell%20me": details,
		"/health/warning":         `{"data":{"services":{"disk_space_warning":true}},"status_code":200}`,
		"/health/instance":        `{"data":{"services":{"database":true}},"status_code":200}`,
		"/health":                 `{"data":{"services":{"database":true}},"status_code":200}`,
		"/health/endtoend":        `{"data":{"services":{"database":true,"storage":false}},"status_code":503}`,
		"/status":                 `{"data":{"services":{"database":true,"storage":false}},"status_code":503}`,
	} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if got := strings.TrimSpace(w.Body.String()); got != want {
			t.Errorf("%s answers %s, want %s", path, got, want)
		}
	}
	for cookie, want := range map[string]bool{"root": true, "alice": false, "": false} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/status", nil)
		r.Header.Set("Cookie", cookie)
		s.Handler().ServeHTTP(w, r)
		if got := strings.TrimSpace(w.Body.String()) == details; got != want {
			t.Errorf("to %q: %s", cookie, w.Body)
		}
	}
}

func TestPathsBesideTheAPIAreItsOwn(t *testing.T) {
	var log bytes.Buffer
	o := options(nil, &log)
	o.API = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { record.From(r.Context()).Path = "/hidden" })
	o.Companion = func(path string) bool { return path == "/health/enabledebug/hunter2" }
	s, _ := New(o)
	for path, want := range map[string]int{"/health/enabledebug/hunter2": 200, "/health/enabledebug/other": 404} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if strings.Contains(log.String(), "hunter2") || !strings.Contains(log.String(), "/hidden") {
		t.Errorf("the log shows the path: %s", &log)
	}
}

func TestRepositoryPathsReachTheirHandlerUncleaned(t *testing.T) {
	var got string
	s, _ := New(options(func(w http.ResponseWriter, r *http.Request) { got = r.URL.Path }, io.Discard))
	for _, path := range []string{"/v2/a//b/tags/list", "/v2/a/../b/tags/list", "/v2/"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = path
		w := httptest.NewRecorder()
		if s.Handler().ServeHTTP(w, r); got != path || w.Code != http.StatusOK {
			t.Errorf("%s arrived as %q with %d", path, got, w.Code)
		}
	}
}
