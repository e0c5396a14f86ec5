package server

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/longshore-registry/longshore/internal/server/record"
)

var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// observe is the outermost handler: it makes the request's record, guards body and answer against stalls, turns a
// panic into a 500 (or a broken connection when the answer had begun), and writes one log line and the metrics.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &record.Record{ID: r.Header.Get("X-Request-Id"), Start: time.Now()}
		if !requestID.MatchString(rec.ID) {
			rec.ID = rand.Text()[:16]
		}
		s.address.locate(r, rec)
		out := newResponseWriter(w)
		out.Header().Set("X-Request-Id", rec.ID)
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = &guardedBody{ReadCloser: r.Body, control: out.control}
			// net/http reads on after a handler that did not: without a deadline, for as long as the client likes.
			_ = out.control.SetReadDeadline(time.Now().Add(unreadLimit))
		}
		s.metrics.inFlight.Inc()
		defer func() {
			s.metrics.inFlight.Dec()
			failure := recover()
			if failure != nil && !errors.Is(asError(failure), http.ErrAbortHandler) {
				s.log.ErrorContext(r.Context(), "handler panicked", "request", rec.ID, "path", r.URL.Path, "panic", failure, "stack", string(debug.Stack()))
				if out.status == 0 {
					http.Error(out, "internal error, request "+rec.ID, http.StatusInternalServerError)
				}
			}
			s.finish(r, rec, out)
			if failure != nil {
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(out, r.WithContext(record.With(r.Context(), rec)))
	})
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
	attrs := []slog.Attr{
		slog.String("request", rec.ID), slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.String("route", rec.Route), slog.Int("status", out.status), slog.Int64("bytes", out.bytes),
		slog.Float64("ms", float64(took.Microseconds())/1000), slog.String("client", rec.ClientIP.String()),
		slog.String("actor", rec.Actor), slog.String("agent", r.UserAgent()),
	}
	if rec.Repository != "" {
		attrs = append(attrs, slog.String("repository", rec.Repository))
	}
	if rec.Err != nil {
		attrs = append(attrs, slog.String("error", rec.Err.Error()))
	}
	s.log.LogAttrs(r.Context(), level, "request", attrs...)
}
