package rest

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/server/record"
)

func TestRender(t *testing.T) {
	object := func(status, kind, text string) string {
		return `{"detail":"` + text + `","error_message":"` + text + `","error_type":"` + kind + `","status":` + status +
			`,"title":"` + kind + `","type":"https://quay.example/api/v1/error/` + kind + `"}`
	}
	for _, test := range []struct {
		name   string
		err    error
		status int
		want   string
		header [2]string
	}{
		{"a refusal", invalidRequest("no <such> thing"), 400, object("400", "invalid_request", "no <such> thing"), [2]string{}},
		{"nobody signed in", unauthenticated(), 401, object("401", "invalid_token", "Requires authentication"), [2]string{"WWW-Authenticate", `Bearer error="invalid_token"`}},
		{"a stale login", freshLoginRequired(), 401, object("401", "fresh_login_required", "Requires fresh login"), [2]string{"WWW-Authenticate", `Bearer error="fresh_login_required"`}},
		{"no right", unauthorized(), 403, object("403", "insufficient_scope", "Unauthorized"), [2]string{}},
		{"nothing there", notFound(), 404, object("404", "not_found", "Not Found"), [2]string{}},
		{"a message", message(400, "Could not find robot"), 400, `{"message":"Could not find robot"}`, [2]string{}},
		{"an abort", abort(501, "not here"), 501, `{"error":"not here"}`, [2]string{}},
		{"further members", message(403, "x").with("invalidCredentials", true).with("message", nil), 403, `{"invalidCredentials":true,"message":null}`, [2]string{}},
		{"a wrapped failure", errors.Join(errors.New("context"), notFound()), 404, object("404", "not_found", "Not Found"), [2]string{}},
		{"what a domain package finds invalid", problem.New(problem.Invalid, "bad"), 400, object("400", "invalid_request", "bad"), [2]string{}},
		{"what it does not find", problem.New(problem.NotFound, "secret name"), 404, object("404", "not_found", "Not Found"), [2]string{}},
		{"what it forbids", problem.New(problem.Forbidden, "reason"), 403, object("403", "insufficient_scope", "Unauthorized"), [2]string{}},
		{"a conflict", problem.New(problem.Conflict, "in use"), 409, `{"message":"in use"}`, [2]string{}},
		{"too much", problem.New(problem.TooLarge, "too large"), 413, `{"error":"too large"}`, [2]string{}},
		{"too often", &problem.Error{Kind: problem.TooMany, Message: "Too many attempts", RetryAfter: 1500 * time.Millisecond}, 429, "Too many attempts", [2]string{"Retry-After", "2"}},
		{"a read-only registry", problem.New(problem.ReadOnly, "x"), 503, `{"is_readonly":true,"message":"` + readOnlyText + `"}`, [2]string{}},
		{"a dependency that is away", &problem.Error{Kind: problem.Unavailable, Message: "the database does not answer", RetryAfter: time.Second}, 503, `{"error":"the database does not answer"}`, [2]string{"Retry-After", "1"}},
		{"a defect", errors.New("password=hunter2"), 500, `{"error":"Internal Server Error"}`, [2]string{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, rec := httptest.NewRecorder(), &record.Record{Scheme: "https", Host: "quay.example"}
			render(w, rec, test.err)
			if diff := cmp.Diff(test.want, strings.TrimSpace(w.Body.String())); w.Code != test.status || diff != "" {
				t.Errorf("status %d, want %d\n%s", w.Code, test.status, diff)
			}
			if got := w.Header().Get(test.header[0]); test.header[0] != "" && got != test.header[1] {
				t.Errorf("%s is %q, want %q", test.header[0], got, test.header[1])
			}
			if !errors.Is(rec.Err, test.err) {
				t.Error("the log is not told")
			}
		})
	}
}

func TestFlagsAndDates(t *testing.T) {
	for _, value := range []string{"", "false", "False", "FALSE", "0", "null"} {
		if flag(value) != "false" {
			t.Errorf("%q is true", value)
		}
	}
	for _, value := range []string{"true", "1", "yes", "fAlSe", "no", "off"} {
		if flag(value) != "true" {
			t.Errorf("%q is false", value)
		}
	}
	if got := rfc822(time.Unix(0, 0)); got != "Thu, 01 Jan 1970 00:00:00 -0000" {
		t.Errorf("the epoch is %s", got)
	}
	if rfc822OrNull(time.Time{}) != nil {
		t.Error("never is a date")
	}
}
