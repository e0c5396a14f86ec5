package app

import (
	"bufio"
	"bytes"
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
	"github.com/longshore-registry/longshore/internal/server/intake"
)

// TestStalledPullsOfManifestsHoldLittleMemory: clients that ask for a dozen of the largest manifests and do not read them
// hold what one client may, small manifests and those of others go on, and those who are turned away know when to come
// back.
func TestStalledPullsOfManifestsHoldLittleMemory(t *testing.T) {
	const clients, each, manifests, size, most = 60, 3, 12, 4<<20 - 8<<10, 16 << 20
	filler := strings.Repeat("x", size/4)
	x := startTarget(t, dbtest.SQLite, nil)
	image := strings.TrimSuffix(string(imageOf([]byte("{}"), []byte("a private layer"))), "}")
	for n := range manifests {
		body := fmt.Sprintf(`%s,"annotations":{"n":"%d","a":%q,"b":%q,"c":%q,"d":%q}}`, image, n, filler, filler, filler, filler)
		x.must(t, attack{who: "alice", scope: "alice/app", method: "PUT", path: fmt.Sprintf("/v2/alice/app/manifests/big%d", n), body: body}, 201)
	}
	x.must(t, attack{session: &x.session, method: "PUT", path: "/api/v1/repository/alice/app/permissions/user/mallory", body: `{"role":"read"}`}, 200)
	before := heap()
	conns := x.unread(t, clients, func(n int) (raw []byte) {
		for part := range each { // the first ones fill what the kernel buffers
			raw = fmt.Appendf(raw, "GET /v2/alice/app/manifests/big%d HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", (n+part)%manifests, abuseHost, x.tokenOf(t, "mallory", "alice/app"))
		}
		return raw
	})
	x.settle(t, most)
	for n := range 10 {
		x.must(t, attack{who: "mallory", scope: "alice/app", method: "GET", path: "/v2/alice/app/manifests/v1"}, 200)
		x.must(t, attack{who: "alice", scope: "alice/app", method: "GET", path: fmt.Sprintf("/v2/alice/app/manifests/big%d", n)}, 200)
	}
	grown, held := heap()-before, x.held(t)
	t.Logf("%d clients that read nothing of %d manifests of 4 MiB: the heap grew by %d bytes, %.0f of them counted", clients, manifests, grown, held)
	if held == 0 || held > most || grown > 48<<20 {
		t.Errorf("%.0f bytes are counted, the heap grew by %d", held, grown)
	}
	statuses := map[int]int{}
	for _, conn := range conns {
		from := bufio.NewReader(conn)
		for range each {
			status, body := readAll(t, conn, from)
			statuses[status]++
			if status == http.StatusOK && len(body) < size {
				t.Errorf("a manifest of %d bytes came", len(body))
			}
		}
	}
	t.Logf("answers %v", statuses)
	if statuses[200] == 0 || statuses[429] == 0 || statuses[200]+statuses[429] != clients*each {
		t.Errorf("answers %v", statuses)
	}
	if held := x.held(t); held != 0 {
		t.Errorf("%.0f bytes are held in the end", held)
	}
}

// settle waits until no more requests are answered or refused, and what they hold is at most so many bytes: more is held
// while answers are built, for as long as this machine takes for that.
func (x *target) settle(t *testing.T, most float64) (held float64) {
	t.Helper()
	last, since := -1.0, time.Now()
	for began := time.Now(); time.Since(began) < abuseTimeout && (last > most || time.Since(since) < time.Second); {
		if held = x.held(t); held != last {
			last, since = held, time.Now()
		}
		time.Sleep(100 * time.Millisecond)
	}
	return held
}

// readAll reads an answer at last.
func readAll(t *testing.T, conn net.Conn, from *bufio.Reader) (status int, body []byte) {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(abuseTimeout))
	response, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	if (response.Header.Get("Retry-After") != "") != (response.StatusCode == http.StatusTooManyRequests) {
		t.Errorf("%d with Retry-After %q", response.StatusCode, response.Header.Get("Retry-After"))
	}
	return response.StatusCode, body
}

// tagPage is an answer of the list of tags.
type tagPage struct {
	Tags []struct {
		Name   string          `json:"name"`
		Count  int             `json:"child_manifest_count"`
		Sparse bool            `json:"is_sparse"`
		Names  map[string]bool `json:"child_manifests_presence"`
	} `json:"tags"`
}

// TestAPageOfTagsIsBounded: a hundred tags on a list of 10,000 manifests are not a million names. The first page of a
// tag alone has all of them, and clients that do not read their page hold what one client may.
func TestAPageOfTagsIsBounded(t *testing.T) {
	const children, tags, clients, most = 10_000, 100, 60, intake.MaxBody * 3 // of nobody's share
	x := startTarget(t, dbtest.SQLite, func(c *config.Config) { c.Registry.SparseIndex = true })
	var list bytes.Buffer
	fmt.Fprintf(&list, `{"schemaVersion":2,"mediaType":%q,"manifests":[`, indexType)
	for n := range children {
		if n > 0 {
			list.WriteByte(',')
		}
		fmt.Fprintf(&list, `{"mediaType":%q,"digest":%q,"size":2}`, imageType, digest.SHA256.Of(fmt.Append(nil, n)))
	}
	list.WriteString("]}")
	var query strings.Builder
	for n := range tags - 1 {
		fmt.Fprintf(&query, "tag=t%d&", n)
	}
	x.must(t, attack{who: "alice", scope: "alice/app", method: "PUT", path: "/v2/alice/app/manifests/all?" + query.String(), body: list.String()}, 201)
	x.must(t, attack{session: &x.session, method: "POST", path: "/api/v1/repository/alice/app/changevisibility", body: `{"visibility":"public"}`}, 200)

	page := func(query string) (p tagPage, size int) {
		t.Helper()
		r := x.must(t, attack{method: "GET", path: "/api/v1/repository/alice/app/tag/?onlyActiveTags=true&" + query, header: []string{"X-Requested-With: XMLHttpRequest"}}, 200)
		if err := json.Unmarshal(r.body, &p); err != nil {
			t.Fatal(err)
		}
		return p, len(r.body)
	}
	all, size := page("limit=100")
	named := 0
	for _, tag := range all.Tags {
		named += len(tag.Names)
		if tag.Count != len(tag.Names) || tag.Sparse != (tag.Count > 0) {
			t.Errorf("%s: %d names of %d, sparse: %v", tag.Name, len(tag.Names), tag.Count, tag.Sparse)
		}
	}
	t.Logf("a page of %d tags has %d bytes", len(all.Tags), size)
	if len(all.Tags) != tags || named != children || size > 1<<20 {
		t.Errorf("%d tags, %d names, %d bytes", len(all.Tags), named, size)
	}
	if one, _ := page("limit=1&specificTag=t50"); len(one.Tags) != 1 || len(one.Tags[0].Names) != children {
		t.Errorf("the tag alone: %v", len(one.Tags))
	}

	before := heap()
	raw := fmt.Appendf(nil, "GET /api/v1/repository/alice/app/tag/?limit=100 HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nX-Requested-With: XMLHttpRequest\r\n\r\n", abuseHost)
	conns := x.unread(t, clients, func(int) []byte { return raw })
	held := x.settle(t, most)
	grown := heap() - before
	t.Logf("%d clients that read nothing of it: the heap grew by %d bytes, %.0f of them counted", clients, grown, held)
	if held > most || grown > 48<<20 {
		t.Errorf("%.0f bytes are counted, the heap grew by %d", held, grown)
	}
	statuses := map[int]int{}
	for _, conn := range conns {
		status, _ := readAll(t, conn, bufio.NewReader(conn))
		statuses[status]++
	}
	t.Logf("answers %v", statuses)
	if statuses[200] == 0 || statuses[200]+statuses[429] != clients {
		t.Errorf("answers %v", statuses)
	}
}
