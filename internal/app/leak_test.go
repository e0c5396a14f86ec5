package app

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
)

// TestNothingIsLeftOfClientsThatAreGone runs some hundred requests of every kind, well-behaved and not, has all clients go
// away, and expects as many goroutines and open files as before. The first round fills pools and caches, such as
// the blob store's open folders, and does not count; what each client of one kind leaves behind is noticed in the second,
// which is the same.
func TestNothingIsLeftOfClientsThatAreGone(t *testing.T) {
	if _, err := os.ReadDir("/proc/self/fd"); err != nil {
		t.Skip(err)
	}
	const times = 25 // more than pools and background work vary by
	x := startTarget(t, dbtest.SQLite, nil)
	large := strings.Repeat("0123456789abcdef", 1<<19)
	x.must(t, attack{who: "alice", scope: "alice/app", method: "POST", path: "/v2/alice/app/blobs/uploads/?digest=" + digest.SHA256.Of([]byte(large)).String(), body: large}, 201)
	x.clientsComeAndGo(t, times, large)
	goroutines, files := x.settled(t)
	x.clientsComeAndGo(t, times, large)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		g, f := runtime.NumGoroutine(), openFiles(t)
		if g < goroutines+times/2 && f < files+times/2 {
			return
		}
		if time.Now().After(deadline) {
			var stacks strings.Builder
			_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
			t.Fatalf("%d goroutines and %d open files are left of %d and %d:\n%s", g, f, goroutines, files, stacks.String())
		}
	}
}

// settled waits until the number of goroutines and open files does not change any more, and gives both.
func (x *target) settled(t *testing.T) (goroutines, files int) {
	t.Helper()
	same := 0
	for range 500 {
		g, f := runtime.NumGoroutine(), openFiles(t)
		if g == goroutines && f == files {
			same++
		} else {
			same, goroutines, files = 0, g, f
		}
		if same == 20 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return goroutines, files
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// clientsComeAndGo has every kind of client come so many times.
func (x *target) clientsComeAndGo(t *testing.T, times int, large string) {
	t.Helper()
	alice := func(method, path, body string) attack {
		return attack{who: "alice", scope: "alice/app", method: method, path: path, body: body}
	}
	for _, a := range []attack{
		alice("GET", "/v2/alice/app/manifests/v1", ""),
		alice("HEAD", "/v2/alice/app/manifests/v1", ""),
		alice("GET", "/v2/alice/app/blobs/"+x.layer.String(), ""),
		alice("GET", "/v2/alice/app/tags/list", ""),
		alice("GET", "/v2/alice/app/manifests/none", ""),
		alice("PUT", "/v2/alice/app/manifests/v2", "no manifest"),
		alice("GET", "/v2/_catalog", ""),
		{session: &x.session, method: "GET", path: "/api/v1/repository?namespace=alice"},
		{session: &x.session, method: "GET", path: "/api/v1/user/logs"},
		{session: &x.session, method: "GET", path: "/api/v1/repository/alice/app/tag/"},
		{session: &x.session, method: "POST", path: "/api/v1/user/exportlogs", body: "{}"},
		{method: "GET", path: "/v2/auth?service=" + abuseHost, header: []string{"Authorization: Basic YWxpY2U6d3Jvbmc="}},
		{method: "GET", path: "/api/v1/user/"},
		{method: "GET", path: "/status"},
		{method: "GET", path: "/health/instance"},
		{method: "GET", path: "/nowhere"},
	} {
		for range times {
			x.send(t, a)
		}
	}
	for n := range times {
		body := fmt.Sprintf("layer %d of %d", n, times)
		x.must(t, alice("POST", "/v2/alice/app/blobs/uploads/?digest="+digest.SHA256.Of([]byte(body)).String(), body), 201)
		x.must(t, alice("PUT", "/v2/alice/app/manifests/"+fmt.Sprintf("t%d", n), string(imageOf([]byte("{}"), []byte("a private layer")))), 201)
	}
	head := func(line string) string {
		return line + " HTTP/1.1\r\nHost: " + abuseHost + "\r\nAuthorization: Bearer " + x.tokenOf(t, "alice", "alice/app") + "\r\n"
	}
	upload := "/v2/alice/app/blobs/uploads/"
	for _, c := range []struct {
		raw   string
		hears bool // the client waits for the first line of an answer before it goes
	}{
		{raw: head("POST "+upload+"?digest="+digest.SHA256.Of([]byte(large)).String()) + "Content-Length: 8388608\r\n\r\n" + large[:100_000]},
		{raw: head("PATCH "+upload+x.upload) + "Transfer-Encoding: chunked\r\n\r\n10\r\nhalf"},
		{raw: head("PUT /v2/alice/app/manifests/v3") + "Content-Length: 5000\r\n\r\n{"},
		{raw: head("GET /v2/alice/app/blobs/"+digest.SHA256.Of([]byte(large)).String()) + "\r\n", hears: true},
		{raw: "GET /realtime/user/subscribe?events=docker-cli HTTP/1.1\r\nHost: " + abuseHost + "\r\nCookie: _csrf_token=" + x.session.cookie + "\r\n\r\n", hears: true},
		{raw: "GET /v2/ HTTP/1.1\r\nHost: "},
		{raw: "GET /health/instance HTTP/1.1\r\nHost: a\r\n\r\n", hears: true}, // and keeps the connection
		{raw: ""},
	} {
		x.leaveOpen(t, times, c.raw, c.hears)
	}
}

// leaveOpen has clients at once send some bytes, of which the server is in the middle when they are cut off together. No
// more than ten are there at a time: an account has that many streams of events.
func (x *target) leaveOpen(t *testing.T, times int, raw string, hears bool) {
	t.Helper()
	for ; times > 0; times -= 10 {
		var group sync.WaitGroup
		conns := make([]net.Conn, min(times, 10))
		for i := range conns {
			group.Go(func() {
				conn, err := net.Dial("tcp", x.addr)
				if err != nil {
					t.Error(err)
					return
				}
				conns[i] = conn
				_, _ = io.WriteString(conn, raw)
				_ = conn.SetDeadline(time.Now().Add(abuseTimeout))
				if !hears {
					return
				}
				if line, err := bufio.NewReaderSize(conn, 64).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
					t.Errorf("%.60q is answered %q, %v", raw, line, err)
				}
			})
		}
		group.Wait()
		for _, conn := range conns {
			if conn != nil {
				_ = conn.Close()
			}
		}
		if strings.Contains(raw, "/realtime/") {
			x.streamsEnd(t)
		}
	}
}

// streamsEnd waits until the account may have streams again.
func (x *target) streamsEnd(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(abuseTimeout); streams() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("streams of events do not end with their clients")
		}
	}
}

// streams counts the goroutines that serve events.
func streams() int {
	var stacks strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
	return strings.Count(stacks.String(), "internal/server/live.")
}
