package rest

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"net/http"
	"strconv"

	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/server/record"
)

// render writes an error. It is the only place that does.
func render(w http.ResponseWriter, rec *record.Record, err error) {
	f := describe(err)
	rec.Err = err
	header := w.Header()
	if after := retryAfter(err); after > 0 {
		header.Set("Retry-After", strconv.Itoa(after))
	}
	if f.status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", challenge(f.kind))
	}
	if f.kind == "" && f.member == "" {
		header.Set("Content-Type", "text/plain; charset=utf-8")
		header.Set("Content-Length", strconv.Itoa(len(f.text)))
		w.WriteHeader(f.status)
		_, _ = w.Write([]byte(f.text))
		return
	}
	var body bytes.Buffer
	_ = marshal(&body, f.body(rec)) // strings, numbers and booleans: nothing can fail
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(f.status)
	_, _ = w.Write(body.Bytes())
}

// body is the JSON object of the failure's shape.
func (f *failure) body(rec *record.Record) map[string]any {
	body := map[string]any{f.member: f.text}
	if f.kind != "" {
		body = map[string]any{
			"detail":        f.text,
			"error_message": f.text,
			"error_type":    f.kind,
			"title":         f.kind,
			"type":          rec.URL(prefix + "error/" + f.kind),
			"status":        f.status,
		}
	}
	maps.Copy(body, f.extra)
	return body
}

// challenge is the WWW-Authenticate header that a 401 needs (RFC 9110 §15.5.2). Bearer makes no browser prompt.
func challenge(kind string) string {
	if kind == "" {
		return "Bearer"
	}
	return `Bearer error="` + kind + `"`
}

// retryAfter is how many seconds a client should wait, 0 when nothing is known.
func retryAfter(err error) int {
	var e *problem.Error
	if !errors.As(err, &e) {
		return 0
	}
	return int(math.Ceil(e.RetryAfter.Seconds()))
}
