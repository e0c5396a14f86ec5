// Package problem is the one error type of the program.
//
// A function that can say what went wrong in a user's terms returns a *problem.Error. Its Kind decides the HTTP
// status, once, for every protocol; its Code is the OCI distribution error code where one applies (distribution-spec
// v1.1.1, "Error Codes"). Message is for people: it names the thing, what was found and what is allowed, and never
// holds a secret. The cause is logged and not shown.
package problem

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind classifies an error by what the caller can do about it.
type Kind uint8

// The kinds, with the HTTP status each maps to.
const (
	Internal         Kind = iota // 500: a defect, or a dependency that failed in an unforeseen way
	Invalid                      // 400: malformed, or against a rule
	Unauthenticated              // 401: nobody is signed in, or the credential is wrong
	Forbidden                    // 403: signed in, without the right
	NotFound                     // 404
	Unsupported                  // 405: the operation does not exist here
	Conflict                     // 409: the present state forbids it
	TooLarge                     // 413: over a stated limit
	UnsupportedMedia             // 415: a media type that is not accepted
	RangeInvalid                 // 416: a range that does not fit what is stored
	TooMany                      // 429: try later, RetryAfter says when
	ReadOnly                     // 405 on /v2 with is_readonly, 503 on /api
	Unavailable                  // 503: a dependency is away, RetryAfter says when
)

// Error is a failure that a client may be told about.
type Error struct {
	Kind       Kind
	Code       string        // OCI error code such as "BLOB_UNKNOWN"; empty when Kind says enough
	Message    string        // for people; shown to the client
	Detail     any           // JSON value for the envelope's detail member, nil for none
	RetryAfter time.Duration // for TooMany and Unavailable; 0 when unknown
	Cause      error         // for the log
}

// Error gives message and cause, for logs.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New makes an error of a kind.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes an error of a kind that keeps its cause for the log.
func Wrap(cause error, kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// WithCode sets the OCI error code.
func (e *Error) WithCode(code string) *Error {
	e.Code = code
	return e
}

// WithDetail sets the envelope's detail member.
func (e *Error) WithDetail(detail any) *Error {
	e.Detail = detail
	return e
}

// From finds the *Error in err's chain. Any other error becomes an Internal one with a constant message, a deadline
// or cancellation an Unavailable one, so that nothing unforeseen reaches a client word for word. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return Wrap(err, Unavailable, "the request was not finished in time")
	}
	return Wrap(err, Internal, "internal error")
}

// Is reports whether err's chain holds an *Error of the kind.
func Is(err error, kind Kind) bool {
	if err == nil { // which is asked on every path that goes well, and costs memory below
		return false
	}
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}

// HasCode reports whether err's chain holds an *Error with the OCI code.
func HasCode(err error, code string) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
