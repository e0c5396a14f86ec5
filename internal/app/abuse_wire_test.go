package app

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/config"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
)

// TestHostileBytesOnTheWire sends what no HTTP client sends. The answers of 400, 431 and 501 without our envelope are
// net/http's, before there is a request (RFC 9112).
func TestHostileBytesOnTheWire(t *testing.T) {
	x := startTarget(t, dbtest.SQLite, nil)
	token := "Authorization: Bearer " + x.tokenOf(t, "alice", "alice/app")
	push := "/v2/alice/app/blobs/uploads/?digest=" + digest.SHA256.Of([]byte("smuggled")).String()
	host := "Host: " + abuseHost
	for _, row := range []struct {
		name, raw string
		status    int
		code      string
	}{
		{"no request at all", "hello\r\n\r\n", 400, "text"},
		{"HTTP/0.9", "GET /v2/\r\n\r\n", 400, "text"},
		{"HTTP/3.0", "GET /v2/ HTTP/3.0\r\n" + host + "\r\n\r\n", 505, "text"},
		{"no host", "GET /v2/ HTTP/1.1\r\n\r\n", 400, "text"},
		{"two hosts", "GET /v2/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "text"},
		{"a host with a blank", "GET /v2/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "text"},
		{"a header with a blank before its colon", "GET /v2/ HTTP/1.1\r\n" + host + "\r\nX : 1\r\n\r\n", 400, "text"},
		{"a header without a name", "GET /v2/ HTTP/1.1\r\n" + host + "\r\n: 1\r\n\r\n", 400, "text"},
		{"NUL in a header", "GET /v2/ HTTP/1.1\r\n" + host + "\r\nX: \x00\r\n\r\n", 400, "text"},
		{"NUL in the request line", "GET /v2/\x00 HTTP/1.1\r\n" + host + "\r\n\r\n", 400, "text"},
		{"two lengths", "POST " + push + " HTTP/1.1\r\n" + host + "\r\nContent-Length: 8\r\nContent-Length: 9\r\n\r\nsmuggled", 400, "text"},
		{"two lengths in one header", "POST " + push + " HTTP/1.1\r\n" + host + "\r\nContent-Length: 8, 9\r\n\r\nsmuggled", 400, "text"},
		{"a negative length", "POST " + push + " HTTP/1.1\r\n" + host + "\r\nContent-Length: -1\r\n\r\n", 400, "text"},
		{"a length with a sign", "POST " + push + " HTTP/1.1\r\n" + host + "\r\nContent-Length: +8\r\n\r\nsmuggled", 400, "text"},
		{"a length beyond 64 bits", "POST " + push + " HTTP/1.1\r\n" + host + "\r\nContent-Length: 99999999999999999999\r\n\r\n", 400, "text"},
		{"an unknown coding", "POST " + push + " HTTP/1.1\r\n" + host + "\r\nTransfer-Encoding: xchunked\r\n\r\n", 501, "text"},
		{"chunked twice", "POST " + push + " HTTP/1.1\r\n" + host + "\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501, "text"},
		{"a header of 80 kB", "GET /v2/ HTTP/1.1\r\n" + host + "\r\nX: " + strings.Repeat("x", 80_000) + "\r\n\r\n", 431, "text"},
		{"20,000 headers", "GET /v2/ HTTP/1.1\r\n" + host + "\r\n" + strings.Repeat("X: y\r\n", 20_000) + "\r\n", 431, "text"},
		{"a path of 80 kB", "GET /v2/" + strings.Repeat("a/", 40_000) + " HTTP/1.1\r\n" + host + "\r\n\r\n", 431, "text"},
		{"a token of 60 kB", "GET /v2/ HTTP/1.1\r\n" + host + "\r\nAuthorization: Bearer " + strings.Repeat("x.", 30_000) + "\r\nConnection: close\r\n\r\n", 401, "UNAUTHORIZED"},
		{"an absolute address of another host", "GET http://evil.example/v2/ HTTP/1.1\r\n" + host + "\r\nConnection: close\r\n\r\n", 401, "UNAUTHORIZED"},
		{"an absolute address with dots", "GET http://evil.example/v2/../api/v1/user/ HTTP/1.1\r\n" + host + "\r\nConnection: close\r\n\r\n", 404, "NAME_UNKNOWN"},
		{"an asterisk", "GET * HTTP/1.1\r\n" + host + "\r\nConnection: close\r\n\r\n", 400, ""},
		{"a tunnel", "CONNECT 127.0.0.1:22 HTTP/1.1\r\n" + host + "\r\nConnection: close\r\n\r\n", 404, "text"},
		{"TRACE", "TRACE /v2/ HTTP/1.1\r\n" + host + "\r\nX-Secret: canary\r\nConnection: close\r\n\r\n", 405, "UNSUPPORTED"},
		{"OPTIONS", "OPTIONS /v2/ HTTP/1.1\r\n" + host + "\r\nConnection: close\r\n\r\n", 405, "UNSUPPORTED"},
		{"a method in lower case", "get /v2/ HTTP/1.1\r\n" + host + "\r\nConnection: close\r\n\r\n", 405, "UNSUPPORTED"},
		{"a method of 10 kB", strings.Repeat("M", 10_000) + " /v2/ HTTP/1.1\r\n" + host + "\r\nConnection: close\r\n\r\n", 405, "UNSUPPORTED"},
		{"a path that the mux would clean", "GET //evil.example/%2e%2e HTTP/1.1\r\n" + host + "\r\nConnection: close\r\n\r\n", 307, ""},
		{"a body that is shorter than its length", "POST " + push + " HTTP/1.1\r\n" + host + "\r\n" + token + "\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", 400, "DIGEST_INVALID"},
		{"chunks that are none", "POST " + push + " HTTP/1.1\r\n" + host + "\r\n" + token + "\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\nsmuggled\r\n0\r\n\r\n", 400, "BLOB_UPLOAD_INVALID"},
		{"a chunk of 2^64 bytes", "POST " + push + " HTTP/1.1\r\n" + host + "\r\n" + token + "\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx", 400, "BLOB_UPLOAD_INVALID"},
	} {
		t.Run(row.name, func(t *testing.T) {
			method, _, _ := strings.Cut(row.raw, " ")
			r := x.exchange(t, method, row.raw)
			if r.StatusCode != row.status || codeOf(r) != row.code {
				t.Errorf("%d %s %.200s, want %d %s", r.StatusCode, codeOf(r), r.body, row.status, row.code)
			}
			if strings.Contains(string(r.body), "canary") || strings.Contains(r.Header.Get("Location"), "//") {
				t.Errorf("the answer leads or tells too far: %q %.200s", r.Header.Get("Location"), r.body)
			}
			x.survives(t, attack{status: row.status}, r)
		})
	}
}

// TestNoRequestIsSmuggled sends a body that holds a request, under two lengths that contradict each other. Whoever
// believed the other one would see the second request.
func TestNoRequestIsSmuggled(t *testing.T) {
	x := startTarget(t, dbtest.SQLite, nil)
	inner := "DELETE /v2/alice/app/manifests/v1 HTTP/1.1\r\nHost: " + abuseHost + "\r\nAuthorization: Bearer " + x.tokenOf(t, "alice", "alice/app") + "\r\n\r\n"
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(inner), inner)
	for name, raw := range map[string]string{
		"a length beside chunks":          "GET /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk,
		"chunks beside a length":          "GET /v2/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + chunk,
		"a coding in another case":        "GET /v2/ HTTP/1.1\r\nHost: a\r\ncontent-length: 4\r\ntransfer-encoding: CHUNKED\r\n\r\n" + chunk,
		"a coding behind a tab":           "GET /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding:\tchunked\r\n\r\n" + chunk,
		"a length of the whole":           fmt.Sprintf("GET /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(inner), inner),
		"a length of the whole on HEAD":   fmt.Sprintf("HEAD /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(inner), inner),
		"a length of the whole on a POST": fmt.Sprintf("POST /v2/x/y/blobs/uploads/ HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(inner), inner),
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", x.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(abuseTimeout))
			_, _ = io.WriteString(conn, raw+"GET /health/instance HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			answers, _ := io.ReadAll(conn)
			if n := strings.Count(string(answers), "HTTP/1.1 "); n > 2 || strings.Contains(string(answers), "202 Accepted") {
				t.Errorf("%d answers:\n%s", n, answers)
			}
			x.run(t, attack{who: "alice", scope: "alice/app", method: "HEAD", path: "/v2/alice/app/manifests/v1", status: 200})
		})
	}
}

// TestAForgedHostLeadsNobodyAway: with SERVER_HOSTNAME, what a client says about its way here is in no link.
func TestAForgedHostLeadsNobodyAway(t *testing.T) {
	x := startTarget(t, dbtest.SQLite, nil)
	want := `Bearer realm="https://` + abuseHost + `/v2/auth",service="` + abuseHost + `"`
	for name, header := range map[string][]string{
		"a foreign host":           {"Host: evil.example"},
		"a host that ends a quote": {"Host: evil'&example"},
		"forwarded headers":        {"Host: " + abuseHost, "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: javascript", "X-Forwarded-For: 8.8.8.8", "Forwarded: host=evil.example;proto=http", "X-Forwarded-Port: 1", "X-Forwarded-Prefix: /evil"},
		"a lowered scheme":         {"X-Forwarded-Proto: http"},
	} {
		t.Run(name, func(t *testing.T) {
			r := x.must(t, attack{method: "GET", path: "/v2/", header: header}, 401)
			if got := r.Header.Get("WWW-Authenticate"); got != want {
				t.Errorf("challenge %s, want %s", got, want)
			}
			r = x.must(t, attack{method: "GET", path: "/api/v1/user/", header: header}, 401)
			if strings.Contains(string(r.body), "evil") {
				t.Errorf("the error leads away: %s", r.body)
			}
			r = x.must(t, attack{who: "alice", scope: "alice/app", method: "POST", path: "/v2/alice/app/blobs/uploads/", header: header}, 202)
			if l := r.Header.Get("Location"); !strings.HasPrefix(l, "/v2/alice/app/blobs/uploads/") {
				t.Errorf("Location %s", l)
			}
		})
	}
}

// TestTheLogIsNotForged: what a client sends stays inside its log line, and the client's own request identifier is
// only taken when it is harmless.
func TestTheLogIsNotForged(t *testing.T) {
	x := startTarget(t, dbtest.SQLite, nil)
	x.must(t, attack{method: "GET", path: "/v2/a%0A%7B%22level%22:%22FORGED%22%7D/tags/list", header: []string{`User-Agent: a"},{"level":"FORGED"}`, `X-Request-Id: "},{"level":"FORGED`}}, 404)
	for line := range strings.Lines(x.log.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry["level"] == "FORGED" || strings.ContainsRune(line, '\x1b') {
			t.Errorf("a forged line: %q", line)
		}
	}
}

// TestAThousandOpenUploads: an account has so many at most, others are not touched, and cancelling makes room.
func TestAThousandOpenUploads(t *testing.T) {
	for _, kind := range dbtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			x := startTarget(t, kind, nil)
			token := x.tokenOf(t, "alice", "alice/app")
			start := func() (int, string) {
				request, _ := http.NewRequestWithContext(t.Context(), "POST", x.url+"/v2/alice/app/blobs/uploads/", nil)
				request.Header.Set("Authorization", "Bearer "+token)
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				_, _ = io.Copy(io.Discard, response.Body)
				return response.StatusCode, response.Header.Get("Retry-After") + response.Header.Get("Docker-Upload-UUID")
			}
			for n := 1; n < 1000; n++ { // one is open already
				if status, _ := start(); status != http.StatusAccepted {
					t.Fatalf("upload %d: %d", n, status)
				}
			}
			if status, retry := start(); status != http.StatusTooManyRequests || retry == "" {
				t.Errorf("the upload above the limit: %d, Retry-After %q", status, retry)
			}
			x.state = x.counts(t)
			x.run(t, attack{who: "alice", scope: "alice/app", method: "POST", path: "/v2/alice/app/blobs/uploads/", status: 429, code: "TOOMANYREQUESTS", says: "1000 uploads"})
			x.run(t, attack{who: "mallory", scope: "mallory/own", method: "POST", path: "/v2/mallory/own/blobs/uploads/", status: 202})
			x.run(t, attack{who: "robot", scope: "alice/app", method: "POST", path: "/v2/alice/app/blobs/uploads/", status: 202})
			x.run(t, attack{who: "alice", scope: "alice/app", method: "DELETE", path: "/v2/alice/app/blobs/uploads/" + x.upload, status: 204})
			x.run(t, attack{who: "alice", scope: "alice/app", method: "POST", path: "/v2/alice/app/blobs/uploads/", status: 202})
		})
	}
}

// TestAFloodOfLogins: while wrong passwords are tried under many names, a pull goes on, and who is turned away is told
// when to come back.
func TestAFloodOfLogins(t *testing.T) {
	x := startTarget(t, dbtest.SQLite, func(c *config.Config) {})
	x.tokenOf(t, "alice", "alice/app")
	const attempts = 100
	type outcome struct {
		reply
		err error
	}
	answers := make(chan outcome, attempts)
	for n := range attempts {
		go func() {
			raw := fmt.Sprintf("GET /v2/auth?scope=repository:a/b:pull HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Basic %s\r\n\r\n", base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "guess%d:canary-%d", n, n)))
			r, err := x.converse("GET", []byte(raw), abuseTimeout)
			answers <- outcome{r, err}
		}()
	}
	var slowest time.Duration
	for range 20 {
		began := time.Now()
		x.must(t, attack{who: "alice", scope: "alice/app", method: "GET", path: "/v2/alice/app/manifests/v1"}, 200)
		slowest = max(slowest, time.Since(began))
	}
	counts := map[int]int{}
	for range attempts {
		answer := <-answers
		if answer.err != nil {
			t.Fatal(answer.err)
		}
		r := answer.reply
		counts[r.StatusCode]++
		if r.StatusCode == http.StatusTooManyRequests && (r.Header.Get("Retry-After") == "" || codeOf(r) != "TOOMANYREQUESTS") {
			t.Errorf("turned away without a time to come back: %v %s", r.Header, r.body)
		}
		x.survives(t, attack{}, r)
	}
	t.Logf("answers %v; the slowest of 20 pulls in between took %s", counts, slowest)
	if counts[429] == 0 || counts[401]+counts[429] != attempts {
		t.Errorf("answers %v: want 401 for some and 429 for the rest", counts)
	}
}
