package server

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/longshore-registry/longshore/internal/server/record"
)

var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// observe is the outermost handler: it makes the request's record, guards body and answer against stalls, turns a
// panic into a 500 (or a broken connection when the answer had begun), and writes one log line and the metrics.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &struct { // in one piece of memory
			rec record.Record
			out responseWriter
		}{record.Record{ID: r.Header.Get("X-Request-Id"), Start: time.Now()}, newResponseWriter(w)}
		rec, out := &x.rec, &x.out
		if rec.ID == "" || !requestID.MatchString(rec.ID) {
			rec.ID = strconv.FormatUint(rand.Uint64(), 36)
		}
		s.address.locate(r, rec)
		out.Header().Set("X-Request-Id", rec.ID)
		r = r.WithContext(record.With(r.Context(), rec)) // net/http goes by the body of the one it made
		body := s.guard(r, rec, out)
		s.metrics.inFlight.Inc()
		defer func() {
			s.metrics.inFlight.Dec()
			rec.Intake.Release()
			failure := recover()
			if failure != nil && !errors.Is(asError(failure), http.ErrAbortHandler) {
				s.log.ErrorContext(r.Context(), "handler panicked", "request", rec.ID, "path", cut(r.URL.Path), "panic", failure, "stack", string(debug.Stack()))
				if out.status == 0 {
					http.Error(out, "internal error, request "+rec.ID, http.StatusInternalServerError)
				}
			}
			out.end()
			s.finish(r, rec, out)
			if failure != nil {
				panic(http.ErrAbortHandler)
			}
			if out.last != nil && out.last() && out.Header().Get("Content-Length") != "" { // the client has all of the answer
				body.drain()
			}
		}()
		next.ServeHTTP(out, r)
	})
}

// guard bounds how long the request's body may take, and what it and the answer may hold in memory.
func (s *Server) guard(r *http.Request, rec *record.Record, out *responseWriter) *guardedBody {
	if r.Body == nil || r.Body == http.NoBody {
		rec.Intake = s.intake.Request(rec.ClientIP, func(time.Duration) {})
		return nil
	}
	body := &guardedBody{ReadCloser: r.Body, control: &out.control}
	r.Body = body
	out.extend() // for "100 Continue", which net/http writes when the body is read
	// net/http reads on after a handler that did not: without a deadline, for as long as the client likes.
	_ = out.control.SetReadDeadline(time.Now().Add(unreadLimit))
	rec.Intake = s.intake.Request(rec.ClientIP, body.within)
	if r.ProtoMajor == 1 { // HTTP/2 resets the stream alone
		out.last = func() bool { return rec.Intake.BodyRefused() && !body.ended }
	}
	return body
}

// cut keeps long input out of the log.
func cut(s string) string {
	const most = 1 << 10
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func asError(v any) error {
	err, _ := v.(error)
	return err
}

// finish writes the request's log line and metrics.
func (s *Server) finish(r *http.Request, rec *record.Record, out *responseWriter) {
	took := time.Since(rec.Start)
	if out.status == 0 {
		out.status = http.StatusOK
	}
	s.metrics.observe(r, rec, out, took)
	level := slog.LevelInfo
	switch {
	case out.status >= 500:
		level = slog.LevelError
	case rec.Route == "health" || rec.Route == "":
		level = slog.LevelDebug
	}
	if !s.log.Enabled(r.Context(), level) {
		return
	}
	path := r.URL.Path
	if rec.Path != "" {
		path = rec.Path
	}
	attrs := [...]slog.Attr{
		slog.String("request", rec.ID), slog.String("method", cut(r.Method)), slog.String("path", cut(path)),
		slog.String("route", rec.Route), slog.Int("status", out.status), slog.Int64("bytes", out.bytes),
		slog.Int64("us", took.Microseconds()), slog.String("client", rec.ClientIP.String()),
		slog.String("actor", rec.Actor), slog.String("agent", cut(r.UserAgent())), {}, {}, {},
	}
	n := len(attrs) - 3
	if rec.Credential != "" {
		attrs[n] = slog.String("credential", rec.Credential)
		n++
	}
	if rec.Repository != "" {
		attrs[n] = slog.String("repository", cut(rec.Repository))
		n++
	}
	if rec.Err != nil {
		attrs[n] = slog.String("error", cut(rec.Err.Error()))
		n++
	}
	// Not LogAttrs: it looks up the line of code, which is the same for every request.
	line := slog.NewRecord(rec.Start.Add(took), level, "request", 0)
	line.AddAttrs(attrs[:n]...)
	_ = s.log.Handler().Handle(r.Context(), line)
}
