package distribution

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/server/intake"
)

// envelope is the body of an error answer (distribution-spec v1.1.1, "Error Codes").
type envelope struct {
	Errors []apiError `json:"errors"`
	// Error repeats the message where Quay answers {"error": …} alone.
	Error string `json:"error,omitempty"`
}

type apiError struct {
	Code     string `json:"code"`
	Message  string `json:"message"`
	Detail   any    `json:"detail"`
	ReadOnly bool   `json:"is_readonly,omitempty"`
}

// plainError is an error that Quay answers outside of the specification's format.
type plainError struct{ cause error }

func (e plainError) Error() string { return e.cause.Error() }
func (e plainError) Unwrap() error { return e.cause }

// unavailableRetry is when to come back where the error does not say.
const unavailableRetry = 5 * time.Second

// fail answers with an error. It is the only place that turns errors into answers.
func (q *request) fail(err error) {
	q.rec.Err = err
	e := problem.From(err)
	header := q.w.Header()
	if e.Kind == problem.Unauthenticated {
		header.Set("WWW-Authenticate", q.challenge())
	}
	if e.Kind == problem.TooMany || e.Kind == problem.Unavailable {
		header.Set("Retry-After", retryAfter(e.RetryAfter))
	}
	if e.Kind == problem.RangeInvalid { // its headers say all there is to say
		header.Set("Content-Length", "0")
		q.w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return
	}
	code := q.code(e)
	body := envelope{Errors: []apiError{{
		Code: code, Message: withoutCode(code, e.Message), Detail: e.Detail, ReadOnly: e.Kind == problem.ReadOnly,
	}}}
	if e.Detail == nil {
		body.Errors[0].Detail = struct{}{}
	}
	if errors.As(err, new(plainError)) {
		body.Error = e.Message
	}
	status := statusOf(e.Kind)
	if errors.Is(err, intake.ErrSlow) {
		status = http.StatusRequestTimeout
	}
	q.json(status, body)
}

// withoutCode takes a code's own words off the beginning of a message, as in MANIFEST_INVALID and "manifest invalid: …".
// Logs show the message alone; clients print the code's words and the message.
func withoutCode(code, message string) string {
	words := strings.ReplaceAll(strings.ToLower(code), "_", " ")
	for _, lead := range []string{words + ": ", words + " to registry: "} {
		if reason, found := strings.CutPrefix(message, lead); found {
			return reason
		}
	}
	return message
}

func statusOf(kind problem.Kind) int {
	switch kind {
	case problem.Invalid:
		return http.StatusBadRequest
	case problem.Unauthenticated:
		return http.StatusUnauthorized
	case problem.Forbidden:
		return http.StatusForbidden
	case problem.NotFound:
		return http.StatusNotFound
	case problem.Unsupported, problem.ReadOnly:
		return http.StatusMethodNotAllowed
	case problem.Conflict:
		return http.StatusConflict
	case problem.TooLarge:
		return http.StatusRequestEntityTooLarge
	case problem.UnsupportedMedia:
		return http.StatusUnsupportedMediaType
	case problem.RangeInvalid:
		return http.StatusRequestedRangeNotSatisfiable
	case problem.TooMany:
		return http.StatusTooManyRequests
	case problem.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// code gives the error's code. On the specification's routes it is one of the specification's: clients that look for
// "no such manifest" know no other code for it. Quay's own codes are replaced there; message and detail stay.
func (q *request) code(e *problem.Error) string {
	if q.target.kind == kindToken && e.Code != "" {
		return e.Code
	}
	switch e.Code {
	case "":
		return q.usualCode(e.Kind)
	case "TAG_EXPIRED":
		return "MANIFEST_UNKNOWN"
	case "TAG_IMMUTABLE", "TAG_ALREADY_EXISTS", "METHOD NOT ALLOWED":
		return "DENIED"
	case "MANIFEST_UNVERIFIED", "TOO_MANY_TAGS_REQUESTED":
		return "MANIFEST_INVALID"
	case "TAG_INVALID", "INVALID_REQUEST":
		return q.usualCode(e.Kind)
	}
	return e.Code
}

// usualCode is the code of an error that says no more than its kind.
func (q *request) usualCode(kind problem.Kind) string {
	switch kind {
	case problem.Unauthenticated:
		return "UNAUTHORIZED"
	case problem.Forbidden, problem.Conflict, problem.ReadOnly:
		return "DENIED"
	case problem.Unsupported:
		return "UNSUPPORTED"
	case problem.TooLarge:
		return "SIZE_INVALID"
	case problem.TooMany:
		return "TOOMANYREQUESTS"
	case problem.Unavailable:
		return "UNAVAILABLE"
	case problem.Internal:
		return "UNKNOWN"
	}
	missing := kind == problem.NotFound
	switch q.target.kind {
	case kindBlob:
		return choose(missing, "BLOB_UNKNOWN", "DIGEST_INVALID")
	case kindUpload, kindUploads:
		return choose(missing, "BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID")
	case kindManifest:
		return choose(missing, "MANIFEST_UNKNOWN", "MANIFEST_INVALID")
	}
	return choose(missing, "NAME_UNKNOWN", "NAME_INVALID")
}

func choose(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// retryAfter gives whole seconds, at least one.
func retryAfter(d time.Duration) string {
	if d <= 0 {
		d = unavailableRetry
	}
	return strconv.Itoa(int(max(1, math.Ceil(d.Seconds()))))
}

// json answers with a JSON value. A HEAD request gets the headers alone.
func (q *request) json(status int, value any) {
	body, err := json.Marshal(value)
	if err != nil { // values are this package's own types; a detail that cannot be written is a defect elsewhere
		q.rec.Err = err
		status, body = http.StatusInternalServerError, []byte(`{"errors":[{"code":"UNKNOWN","message":"internal error","detail":{}}]}`)
	}
	q.jsonText(status, body)
}

// jsonText answers with JSON that is written already.
func (q *request) jsonText(status int, body []byte) {
	header := q.w.Header()
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	q.w.WriteHeader(status)
	q.write(body)
}

// write sends a whole body. What cannot be sent is for the log: the client is gone.
func (q *request) write(body []byte) {
	if q.r.Method == http.MethodHead {
		return
	}
	if _, err := q.w.Write(body); err != nil && q.rec.Err == nil {
		q.rec.Err = err
	}
}

// empty answers without a body.
func (q *request) empty(status int) {
	if status != http.StatusNoContent {
		q.w.Header().Set("Content-Length", "0")
	}
	q.w.WriteHeader(status)
}
