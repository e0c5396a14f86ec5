package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/server/intake"
	"github.com/longshore-registry/longshore/internal/server/record"
)

// pipes is a listener in memory: its connections keep deadlines by the clock of a test's bubble.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p pipes) Close() error { close(p); return nil }

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// echo reads a body of at most 1 MiB whole and answers with its length, or with what is wrong with it.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := record.From(r.Context()).Intake.Read(r.Context(), r.Body, intake.Body{Name: "body", Announced: r.ContentLength, Limit: 1 << 20})
	text, status := fmt.Sprint(len(body)), 200
	if err != nil {
		text, status = problem.From(err).Message, 400
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// dial serves a handler in memory and gives a connection to it, inside a bubble.
func dial(t *testing.T, s *Server) (net.Conn, *bufio.Reader) {
	t.Helper()
	listener := make(pipes, 1)
	web := s.httpServer(s.Handler())
	done := make(chan error, 1)
	go func() { done <- web.Serve(listener) }()
	client, server := net.Pipe()
	listener <- server
	t.Cleanup(func() {
		_ = client.Close()
		_ = web.Close()
		<-done
		time.Sleep(time.Second) // net/http waits for half of it before it closes a connection
	})
	return client, bufio.NewReader(client)
}

// answerTo reads an answer to its end.
func answerTo(t *testing.T, from *bufio.Reader) (*http.Response, string) {
	t.Helper()
	r, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("the answer breaks off: %v", err)
	}
	return r, string(text)
}

func TestABodyThatIsReadWholeHasHalfAMinute(t *testing.T) {
	for _, row := range []struct{ name, head, piece string }{
		{"with a length", "Content-Length: 1000\r\n\r\n", "x"},
		{"in chunks", "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := New(options(echo, io.Discard))
				if err != nil {
					t.Fatal(err)
				}
				var client sync.WaitGroup
				t.Cleanup(client.Wait)
				conn, answers := dial(t, s)
				began := time.Now()
				client.Go(func() { // a byte a second: never stalled, never done
					_, err := io.WriteString(conn, "PUT /v2/x HTTP/1.1\r\nHost: a\r\n"+row.head)
					for err == nil {
						_, err = io.WriteString(conn, row.piece)
						time.Sleep(time.Second)
					}
				})
				r, text := answerTo(t, answers)
				if took := time.Since(began); r.StatusCode != 400 || text != "the body was not there within 30 seconds" || took != intake.BodyTime {
					t.Errorf("%d %q after %s", r.StatusCode, text, took)
				}
				if !r.Close {
					t.Error("the connection is to be used again, with half a body on it")
				}
				if s.intake.Held() != 0 || s.intake.Refused(intake.Slow) != 1 {
					t.Errorf("%d bytes held, %d slow bodies", s.intake.Held(), s.intake.Refused(intake.Slow))
				}
			})
		})
	}
}

// TestTheConnectionGoesOnAfterABody: the deadline of one body is not that of its handler, nor of the next request.
func TestTheConnectionGoesOnAfterABody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(options(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(20 * time.Second)
			rec := record.From(r.Context())
			body, err := rec.Intake.Read(r.Context(), r.Body, intake.Body{Name: "body", Announced: r.ContentLength, Limit: 1 << 20})
			time.Sleep(time.Minute)
			if n, err := r.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("behind the end: %d bytes, %v", n, err)
			}
			time.Sleep(5 * time.Minute)
			if err := errors.Join(err, r.Context().Err()); err != nil {
				t.Errorf("a handler that takes its time after the body: %v", err)
			}
			_, _ = fmt.Fprint(w, len(body))
		}, io.Discard))
		if err != nil {
			t.Fatal(err)
		}
		conn, answers := dial(t, s)
		for _, head := range []string{"Content-Length: 5\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\n"} {
			go func() {
				_, _ = io.WriteString(conn, "PUT /v2/x HTTP/1.1\r\nHost: a\r\n"+head)
				time.Sleep(25 * time.Second)
				end := ""
				if strings.Contains(head, "chunked") {
					end = "\r\n0\r\n\r\n"
				}
				_, _ = io.WriteString(conn, "hello"+end)
			}()
			if r, text := answerTo(t, answers); r.StatusCode != 200 || text != "5" || r.Close {
				t.Errorf("%d %q", r.StatusCode, text)
			}
			time.Sleep(time.Minute)
		}
		if s.intake.Held() != 0 {
			t.Errorf("%d bytes are held after the answers", s.intake.Held())
		}
	})
}

// TestARefusalDoesNotWaitForTheBody, and a client that first writes everything gets it all the same.
func TestARefusalDoesNotWaitForTheBody(t *testing.T) {
	const size = 3 << 20
	const head = "PUT /v2/x HTTP/1.1\r\nHost: a\r\n"
	for name, request := range map[string]string{
		"announced": head + fmt.Sprintf("Content-Length: %d\r\n\r\n", size),
		"in chunks": head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n", size) + strings.Repeat("x", 1<<20+1),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := New(options(echo, io.Discard))
				conn, answers := dial(t, s)
				began := time.Now()
				go func() { _, _ = io.WriteString(conn, request) }()
				r, text := answerTo(t, answers)
				if r.StatusCode != 400 || !strings.Contains(text, "larger than 1048576 bytes") || !r.Close || time.Since(began) != 0 {
					t.Errorf("%d %q after %s", r.StatusCode, text, time.Since(began))
				}
				if n, err := io.Copy(conn, strings.NewReader(strings.Repeat("x", size-1<<20-1))); err != nil {
					t.Errorf("the rest of the body could not be sent: %d bytes, %v", n, err)
				}
			})
		})
	}
}

// TestAnAnswerDoesNotWaitForABodyThatNobodyReads, when the client said that it will come only if wanted, or is long.
func TestAnAnswerDoesNotWaitForABodyThatNobodyReads(t *testing.T) {
	for name, header := range map[string]string{
		"expects to be asked": "Expect: 100-continue\r\nContent-Length: 1000\r\n",
		"long":                "Content-Length: 1000000\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := New(options(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, io.Discard))
				conn, answers := dial(t, s)
				began := time.Now()
				go func() { _, _ = io.WriteString(conn, "PUT /v2/x HTTP/1.1\r\nHost: a\r\n"+header+"\r\n") }()
				if r, _ := answerTo(t, answers); r.StatusCode != 401 || !r.Close || time.Since(began) != 0 {
					t.Errorf("%d after %s", r.StatusCode, time.Since(began))
				}
			})
		})
	}
}

func TestAPanicReturnsWhatWasHeld(t *testing.T) {
	s, _ := New(options(func(w http.ResponseWriter, r *http.Request) {
		rec := record.From(r.Context())
		if _, err := rec.Intake.Read(r.Context(), r.Body, intake.Body{Name: "body", Announced: r.ContentLength, Limit: 1 << 20}); err != nil {
			t.Error(err)
		}
		panic("broken invariant")
	}, io.Discard))
	func() {
		defer func() { _ = recover() }()
		s.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("PUT", "/v2/x", strings.NewReader(strings.Repeat("x", 1<<20))))
	}()
	if s.intake.Held() != 0 {
		t.Errorf("%d bytes are held", s.intake.Held())
	}
}

func TestTheIntakeIsMeasured(t *testing.T) {
	var s *Server
	gather := func() string {
		var b strings.Builder
		families, err := s.Registerer().(prometheus.Gatherer).Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if strings.HasPrefix(f.GetName(), "quay_intake") {
				b.WriteString(f.String() + "\n")
			}
		}
		return b.String()
	}
	s, _ = New(options(func(w http.ResponseWriter, r *http.Request) {
		echo(w, r)
		if text := gather(); !strings.Contains(text, "value:1000") {
			t.Errorf("nothing is held:\n%s", text)
		}
	}, io.Discard))
	s.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("PUT", "/v2/x", strings.NewReader(strings.Repeat("x", 1000))))
	s.options.Distribution = http.HandlerFunc(echo)
	s.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("PUT", "/v2/x", strings.NewReader(strings.Repeat("x", 1<<20+1))))
	text := gather()
	for _, want := range []string{"quay_intake_held_bytes", "quay_intake_refused_total", `value:"large"`, `value:"full"`, `value:"slow"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
	if s.intake.Refused(intake.Large) != 1 {
		t.Errorf("%d large bodies", s.intake.Refused(intake.Large))
	}
}

func TestTheLogCutsWhatClientsSend(t *testing.T) {
	var log strings.Builder
	s, _ := New(options(func(w http.ResponseWriter, r *http.Request) {
		rec := record.From(r.Context())
		rec.Err, rec.Repository = errors.New(strings.Repeat("e", 9000)), strings.Repeat("r", 9000)
	}, &log))
	r := httptest.NewRequest(strings.Repeat("M", 9000), "/v2/"+strings.Repeat("é", 9000), nil)
	r.Header.Set("User-Agent", strings.Repeat("a", 9000))
	s.Handler().ServeHTTP(httptest.NewRecorder(), r)
	if line := log.String(); len(line) > 6*(1<<10) || strings.Count(line, "…") != 5 || strings.Contains(line, `�`) {
		t.Errorf("%d bytes: %.2000s", len(line), line)
	}
}

// deadlines is a response writer that counts how often it is given more time.
type deadlines struct {
	httptest.ResponseRecorder
	moved atomic.Int64
}

func (d *deadlines) SetWriteDeadline(time.Time) error { d.moved.Add(1); return nil }
func (d *deadlines) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{&d.ResponseRecorder}, r)
}

// TestALongAnswerGetsMoreTimeAsItMoves, wherever its bytes come from.
func TestALongAnswerGetsMoreTimeAsItMoves(t *testing.T) {
	const pieces = 4
	content := strings.Repeat("x", pieces*pieceSize)
	for name, send := range map[string]func(io.Writer) (int64, error){
		"a reader": func(w io.Writer) (int64, error) { return io.Copy(w, struct{ io.Reader }{strings.NewReader(content)}) },
		"a limited reader": func(w io.Writer) (int64, error) {
			return io.Copy(w, &io.LimitedReader{R: strings.NewReader(content + "more"), N: int64(len(content))})
		},
		"a reader that writes itself": func(w io.Writer) (int64, error) { return io.Copy(w, strings.NewReader(content)) },
		"bytes":                       func(w io.Writer) (int64, error) { n, err := w.Write([]byte(content)); return int64(n), err },
	} {
		d := &deadlines{ResponseRecorder: *httptest.NewRecorder()}
		w := newResponseWriter(d)
		if n, err := send(&w); err != nil || n != int64(len(content)) || w.bytes != n || w.status != 200 {
			t.Errorf("%s: %d bytes, %d counted, status %d, %v", name, n, w.bytes, w.status, err)
		}
		if d.moved.Load() < pieces {
			t.Errorf("%s: %d deadlines for %d pieces", name, d.moved.Load(), pieces)
		}
	}
}

func TestNoBodyIsAnEmptyOne(t *testing.T) {
	s, _ := New(options(echo, io.Discard))
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("PUT", "/v2/x", nil))
	if w.Body.String() != "0" {
		t.Errorf("the answer is %s", w.Body)
	}
}
