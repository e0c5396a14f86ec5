package rest

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// stream is an open stream of server-sent events.
type stream struct {
	t     *testing.T
	lines *bufio.Reader
	close func()
}

func (c *client) stream(t *testing.T, path string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r := must(http.NewRequestWithContext(ctx, http.MethodGet, c.w.server.URL+path, nil))(t)
	r.Header.Set("Cookie", c.cookie)
	res := must(http.DefaultTransport.RoundTrip(r))(t)
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	return &stream{t, bufio.NewReader(res.Body), cancel}
}

// want reads the next message, without the comments that show that the stream lives.
func (s *stream) want(text string) {
	s.t.Helper()
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			s.t.Fatalf("the stream ended, want %s: %v", text, err)
		}
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, ":") {
			continue
		}
		if line != "data: "+text {
			s.t.Fatalf("got %s, want %s", line, text)
		}
		return
	}
}

// ends reads until the stream is over.
func (s *stream) ends() {
	s.t.Helper()
	if _, err := io.Copy(io.Discard, s.lines); err != nil {
		s.t.Errorf("the stream broke: %v", err)
	}
}

const subscription = "/realtime/user/subscribe?events=docker-cli"

func eventWorld(t *testing.T) *world {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) { s.options.Beat = time.Millisecond })
	w.user("alice")
	w.user("bob")
	return w
}

func TestEventsReachTheOwnPages(t *testing.T) {
	w := eventWorld(t)
	s := w.session("alice").stream(t, subscription)
	s.want(`{}`)
	w.events.Tell("bob", "login", "", "")
	w.events.Tell("alice", "push_start", "acme", "app")
	s.want(`{"event":"docker-cli","data":{"action":"push_start","namespace":"acme","repository":"app"}}`)
}

func TestAStreamEndsWithItsSession(t *testing.T) {
	w := eventWorld(t)
	c := w.session("alice")
	s := c.stream(t, subscription)
	s.want(`{}`)
	c.do(http.MethodPost, "/api/v1/signout", "")
	s.ends()
}

func TestAStreamEndsWithItsAccount(t *testing.T) {
	w := eventWorld(t)
	s := w.session("alice").stream(t, subscription)
	s.want(`{}`)
	if err := w.identity.SetEnabled(t.Context(), w.account("alice").ID, false); err != nil {
		t.Fatal(err)
	}
	s.ends()
}

func TestAStreamEndsWithTheProgram(t *testing.T) {
	w := eventWorld(t)
	s := w.session("alice").stream(t, subscription)
	s.want(`{}`)
	w.events.Stop()
	s.ends()
	wantStatus(t, "another one", w.session("alice").do(http.MethodGet, subscription, ""), http.StatusServiceUnavailable)
}

func TestHEADOpensNoStream(t *testing.T) {
	w := eventWorld(t)
	c := w.session("alice")
	for range 20 { // more than an account may have
		wantStatus(t, "HEAD", c.do(http.MethodHead, subscription, ""), http.StatusOK)
	}
}

func TestUserEventsOff(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) { s.options.UserEvents = false })
	w.user("alice")
	wantStatus(t, "the stream", w.session("alice").do(http.MethodGet, subscription, ""), http.StatusNotFound)
}
