package app

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/server/intake"
)

// held is what the program says that bodies hold in memory.
func (x *target) held(t *testing.T) float64 {
	t.Helper()
	families, err := x.server.Registerer().(prometheus.Gatherer).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "quay_intake_held_bytes" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal("there is no such figure")
	return 0
}

// heap is how much memory is in use, in bytes.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// answered waits for the answers to requests that were sent at the same time.
func (x *target) answered(t *testing.T, requests int, patience time.Duration, method string, raw []byte) func() map[int]int {
	t.Helper()
	type outcome struct {
		reply
		err error
	}
	answers := make(chan outcome, requests)
	for range requests {
		go func() {
			r, err := x.converse(method, raw, patience)
			answers <- outcome{r, err}
		}()
	}
	return func() map[int]int {
		t.Helper()
		statuses := map[int]int{}
		for range requests {
			a := <-answers
			if a.err != nil {
				t.Errorf("a request hangs or is cut: %v", a.err)
				continue
			}
			statuses[a.StatusCode]++
			want := map[int]string{http.StatusTooManyRequests: "TOOMANYREQUESTS", http.StatusRequestTimeout: "MANIFEST_INVALID", http.StatusRequestEntityTooLarge: "error"}[a.StatusCode]
			if got := codeOf(a.reply); got != want || !a.Close {
				t.Errorf("%d with code %q, want %q; the connection ends: %v; %s", a.StatusCode, got, want, a.Close, a.body)
			}
			if (a.Header.Get("Retry-After") != "") != (a.StatusCode == http.StatusTooManyRequests) {
				t.Errorf("%d with Retry-After %q", a.StatusCode, a.Header.Get("Retry-After"))
			}
		}
		return statuses
	}
}

// TestStalledManifestsHoldLittleMemory: one user sends sixty manifests of 4 MiB but for the last byte. What they hold is
// bounded, others push meanwhile, and each of them is answered.
func TestStalledManifestsHoldLittleMemory(t *testing.T) {
	const stalled, size = 60, 4 << 20
	x := startTarget(t, dbtest.SQLite, nil)
	raw := fmt.Appendf(nil, "PUT /v2/mallory/own/manifests/v1 HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
		abuseHost, x.tokenOf(t, "mallory", "mallory/own"), size, strings.Repeat("x", size-1))
	image := string(imageOf([]byte("{}"), []byte("a private layer")))
	large := strings.TrimSuffix(image, "}") + `,"annotations":{"k":"` + strings.Repeat("v", 1<<20) + `"}}`
	before := heap()
	wait := x.answered(t, stalled, intake.BodyTime+abuseTimeout, "PUT", raw)

	var slowest time.Duration
	var most int64
	var mostHeld float64
	for n := range 20 {
		body := image
		if n%2 == 1 {
			body = large
		}
		began := time.Now()
		x.must(t, attack{who: "alice", scope: "alice/app", method: "PUT", path: fmt.Sprintf("/v2/alice/app/manifests/v%d", n), body: body}, 201)
		slowest = max(slowest, time.Since(began))
		most, mostHeld = max(most, heap()-before), max(mostHeld, x.held(t))
		time.Sleep(200 * time.Millisecond)
	}
	t.Logf("%d stalled manifests of %d bytes: the heap grew by at most %d bytes, %.0f of them counted; the slowest of 20 pushes of somebody else took %s", stalled, size, most, mostHeld, slowest)
	if mostHeld == 0 || mostHeld > 20<<20 || most > 40<<20 {
		t.Errorf("%.0f bytes are counted, the heap grew by %d", mostHeld, most)
	}
	if slowest > 2*time.Second {
		t.Errorf("a push of somebody else took %s", slowest)
	}
	statuses := wait()
	t.Logf("their answers: %v", statuses)
	if statuses[429] == 0 || statuses[408] == 0 || statuses[429]+statuses[408] != stalled {
		t.Errorf("answers %v: want 429 where there was no room, 408 for the rest", statuses)
	}
	if held := x.held(t); held != 0 {
		t.Errorf("%.0f bytes are held in the end", held)
	}
	x.state = x.counts(t)
	x.run(t, attack{who: "mallory", scope: "mallory/own", method: "GET", path: "/v2/mallory/own/manifests/v1", status: 404, code: "MANIFEST_UNKNOWN"})
}

// TestStalledUploadsHoldLittleMemory: three hundred uploads of one user stall, half of them after a byte and half after as
// many as fill what they are read into. What they hold is bounded, and others push meanwhile.
func TestStalledUploadsHoldLittleMemory(t *testing.T) {
	const stalled, most = 300, 32 << 20
	x := startTarget(t, dbtest.SQLite, nil)
	token := x.tokenOf(t, "mallory", "mallory/own")
	before := heap()
	for n := range stalled {
		conn, err := net.Dial("tcp", x.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(abuseTimeout))
		if _, err := fmt.Fprintf(conn, "POST /v2/mallory/own/blobs/uploads/?digest=sha256:%064d HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
			n, abuseHost, token, 1<<20); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(conn).ReadString('\n') // it is sent when the body is about to be read
		if err != nil || !strings.Contains(line, "100 Continue") {
			t.Fatalf("upload %d: %q, %v", n, line, err)
		}
		if _, err := io.WriteString(conn, strings.Repeat("x", 1+n%2*(64<<10))); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 10 {
		x.must(t, attack{who: "alice", scope: "alice/app", method: "PUT", path: fmt.Sprintf("/v2/alice/app/manifests/u%d", n), body: string(imageOf([]byte("{}"), []byte("a private layer")))}, 201)
	}
	grown := heap() - before
	t.Logf("%d stalled uploads: the heap grew by %d bytes", stalled, grown)
	if grown > most {
		t.Errorf("%d stalled uploads: the heap grew by %d bytes, at most %d are allowed", stalled, grown, most)
	}
}

// TestStalledListsOfReferrersHoldLittleMemory: clients that ask for a long answer and do not read it hold one of them at a
// time, short answers go on, and those who are turned away know when to come back.
func TestStalledListsOfReferrersHoldLittleMemory(t *testing.T) {
	const clients = 20
	x := startTarget(t, dbtest.SQLite, nil)
	filler := `"` + strings.Repeat("<", 1<<20-10) + `"`
	for n := range 2 {
		body := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[],"subject":%s,"annotations":{"n":"%d","a":%s,"b":%s,"c":%s}}`,
			indexType, descriptorOf(imageType, string(imageOf([]byte("{}"), []byte("a private layer")))), n, filler, filler, filler)
		x.must(t, attack{who: "alice", scope: "alice/app", method: "PUT", path: fmt.Sprintf("/v2/alice/app/manifests/r%d", n), body: body}, 201)
	}
	raw := fmt.Appendf(nil, "GET /v2/alice/app/referrers/%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n", x.image, abuseHost, x.tokenOf(t, "alice", "alice/app"))
	before := heap()
	conns := x.unread(t, clients, func(int) []byte { return raw })
	for began := time.Now(); time.Since(began) < abuseTimeout && (x.held(t) > intake.MaxBody || time.Since(began) < time.Second); {
		time.Sleep(100 * time.Millisecond) // until the last of them is built
	}
	for range 10 {
		x.must(t, attack{who: "alice", scope: "alice/app", method: "GET", path: "/v2/alice/app/referrers/" + x.layer.String()}, 200)
	}
	grown, held := heap()-before, x.held(t)
	t.Logf("%d clients that read nothing of an answer of 6 MiB: the heap grew by %d bytes, %.0f of them counted", clients, grown, held)
	if held == 0 || held > intake.MaxBody || grown > 40<<20 {
		t.Errorf("%.0f bytes are counted, the heap grew by %d", held, grown)
	}
	statuses := map[int]int{}
	for _, conn := range conns {
		_ = conn.SetDeadline(time.Now().Add(abuseTimeout))
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		statuses[response.StatusCode]++
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		var list struct{ Manifests []json.RawMessage }
		if err := json.Unmarshal(body, &list); err != nil || response.StatusCode == 200 && len(list.Manifests) != 2 {
			t.Errorf("%d with %d manifests, %v", response.StatusCode, len(list.Manifests), err)
		}
	}
	t.Logf("answers %v", statuses)
	if statuses[200] == 0 || statuses[429] == 0 || statuses[200]+statuses[429] != clients {
		t.Errorf("answers %v", statuses)
	}
}

// unread sends requests on connections of their own, whose answers nobody reads.
func (x *target) unread(t *testing.T, clients int, raw func(client int) []byte) (conns []net.Conn) {
	t.Helper()
	for n := range clients {
		conn, err := net.Dial("tcp", x.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.(*net.TCPConn).SetReadBuffer(64 << 10)
		_ = conn.SetDeadline(time.Now().Add(abuseTimeout))
		if _, err := conn.Write(raw(n)); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	return conns
}

// TestNobodysBodiesAreSmall: what somebody sends who has not signed in is refused at once when it is announced as large,
// whether or not it comes.
func TestNobodysBodiesAreSmall(t *testing.T) {
	const size = 1 << 20
	x := startTarget(t, dbtest.SQLite, nil)
	first := x.must(t, attack{method: "GET", path: "/csrf_token"}, 200)
	var token struct {
		Token string `json:"csrf_token"`
	}
	if err := json.Unmarshal(first.body, &token); err != nil {
		t.Fatal(err)
	}
	cookie := cookieOf(first.Response)
	for _, path := range []string{"/api/v1/signin", "/api/v1/repository"} {
		for _, sent := range []int{0, size / 2, size} {
			raw := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nCookie: _csrf_token=%s\r\nX-CSRF-Token: %s\r\nContent-Length: %d\r\n\r\n%s",
				path, abuseHost, cookie, token.Token, size, strings.Repeat("x", sent))
			before, began := heap(), time.Now()
			wait := x.answered(t, 100, abuseTimeout, "POST", raw)
			statuses := wait()
			took := time.Since(began)
			t.Logf("%s, %d of %d bytes: %v within %s; the heap grew by %d", path, sent, size, statuses, took, heap()-before)
			if statuses[413] != 100 || took > 5*time.Second {
				t.Errorf("%s, %d of %d bytes: %v within %s", path, sent, size, statuses, took)
			}
		}
	}
	x.run(t, attack{session: &session{cookie: cookie, csrf: token.Token}, method: "POST", path: "/api/v1/signin", body: strings.Repeat("x", 16<<10+1), status: 413, code: "error", says: "16384"})
	x.run(t, attack{session: &session{cookie: cookie, csrf: token.Token}, method: "POST", path: "/api/v1/signin", body: strings.Repeat("x", 16<<10), status: 400, code: "invalid_request"})
	x.run(t, attack{session: &x.session, method: "POST", path: "/api/v1/signin/verify", body: strings.Repeat("x", 16<<10+1), status: 413, code: "error", says: "16384"})
}
