package distribution_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
)

// heldBack is a request of which the client keeps the end to itself until something has happened.
type heldBack struct {
	method, path string
	header       string // lines
	begins, ends string // of the body
}

// send sends the request but for its end, calls meanwhile, sends the end, and gives the answer. The server asks for the
// body only when the request has been let in, so that meanwhile comes after the first look at its rights.
func (h heldBack) send(r *rig, token string, meanwhile func()) answer {
	r.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	r.must(err)
	defer conn.Close()
	r.must(conn.SetDeadline(time.Now().Add(20 * time.Second)))
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nAuthorization: Bearer %s\r\n%s\r\n", h.method, h.path, token, h.header)
	r.must(err)
	in := bufio.NewReader(conn)
	line, err := in.ReadString('\n')
	if r.must(err); !strings.Contains(line, "100 Continue") {
		r.t.Fatalf("the server does not want the body: %s", line)
	}
	_, err = in.ReadString('\n')
	r.must(err)
	_, err = io.WriteString(conn, h.begins)
	r.must(err)
	meanwhile()
	_, err = io.WriteString(conn, h.ends)
	r.must(err)
	resp, err := http.ReadResponse(in, nil)
	r.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	r.must(err)
	return answer{status: resp.StatusCode, header: resp.Header, body: body}
}

// TestWhatIsTakenAwayWhileABodyIsHeldBack: whichever way something is published, the right to do so is looked at after
// the last byte.
func TestWhatIsTakenAwayWhileABodyIsHeldBack(t *testing.T) {
	const blob = "a layer that is held back"
	d := digest.SHA256.Of([]byte(blob))
	const last = len(blob) - 1
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }
	chunk := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }
	const chunked = "Transfer-Encoding: chunked\r\n"
	whole := fmt.Sprintf("Content-Range: 0-%d\r\n", last)
	for _, row := range []struct {
		name   string
		before string // sent with PATCH
		heldBack
	}{
		{"a POST with the whole blob", "", heldBack{"POST", "", length(len(blob)), blob[:last], blob[last:]}},
		{"a POST with the whole blob in chunks", "", heldBack{"POST", "", chunked, chunk(blob), "0\r\n\r\n"}},
		{"a PUT with the whole blob", "", heldBack{"PUT", "", length(len(blob)), blob[:last], blob[last:]}},
		{"a PUT with the last part", blob[:5], heldBack{"PUT", "", length(len(blob) - 5), blob[5:last], blob[last:]}},
		{"a PUT without a byte after a PATCH", blob, heldBack{"PUT", "", chunked, "", "0\r\n\r\n"}},
		{"a PUT with a range", "", heldBack{"PUT", "", whole + length(len(blob)), blob[:last], blob[last:]}},
		{"a PUT with a range, in chunks", "", heldBack{"PUT", "", whole + chunked, chunk(blob[:last]), chunk(blob[last:]) + "0\r\n\r\n"}},
		{"a PUT with a range that ends before its body", "", heldBack{"PUT", "", whole + length(len(blob)+5), blob[:last], blob[last:] + "tail"}},
		{"a PUT with the range of the last part", blob[:5], heldBack{"PUT", "", fmt.Sprintf("Content-Range: 5-%d\r\n", last) + length(len(blob)-5), blob[5:last], blob[last:]}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t, dbtest.Open(t, dbtest.SQLite))
			owner, writer, take := r.writer()
			h := row.heldBack
			h.path = "/v2/acme/app/blobs/uploads/?digest=" + d.String()
			if h.method == "PUT" {
				location := path(r.want(r.send(call{method: "POST", path: "/v2/acme/app/blobs/uploads/", token: writer}), 202).header.Get("Location"))
				if row.before != "" {
					r.want(r.send(call{method: "PATCH", path: location, token: writer, body: []byte(row.before)}), 202)
				}
				h.path = query(location, "digest="+d.String())
			}
			if a := h.send(r, writer, take); a.status != 401 || a.code() != "UNAUTHORIZED" {
				t.Errorf("%d %s", a.status, a.body)
			}
			r.want(r.send(call{method: "HEAD", path: "/v2/acme/app/blobs/" + d.String(), token: owner}), 404)
		})
	}
	t.Run("a manifest", func(t *testing.T) {
		r := newRig(t, dbtest.Open(t, dbtest.SQLite))
		owner, writer, take := r.writer()
		m := string(r.image(owner, "acme/app", "x"))
		h := heldBack{"PUT", "/v2/acme/app/manifests/v1", "Content-Type: " + imageType + "\r\n" + length(len(m)), m[:len(m)-1], m[len(m)-1:]}
		if a := h.send(r, writer, take); a.status != 401 || a.code() != "UNAUTHORIZED" {
			t.Errorf("%d %s", a.status, a.body)
		}
		r.want(r.send(call{path: "/v2/acme/app/manifests/v1", token: owner}), 404)
	})
	t.Run("nothing is refused when nothing is taken away", func(t *testing.T) {
		r := newRig(t, dbtest.Open(t, dbtest.SQLite))
		_, writer, _ := r.writer()
		h := heldBack{"POST", "/v2/acme/app/blobs/uploads/?digest=" + d.String(), length(len(blob)), blob[:last], blob[last:]}
		r.want(h.send(r, writer, func() {}), 201)
	})
}

// writer makes a repository, and gives tokens of its owner and of somebody who may write to it until take is called.
func (r *rig) writer() (owner, writer string, take func()) {
	r.t.Helper()
	repo := r.repository(r.organization("acme", "owner"), "app", false)
	who := r.user("writer")
	r.grant(repo, who, access.Write)
	scope := scopeOf("acme/app", "pull,push")
	return r.token("owner", scope), r.token("writer", scope), func() {
		_, err := r.access.Revoke(r.t.Context(), repo.ID, access.Subject{AccountID: who.ID})
		r.must(err)
	}
}

// TestAnUploadSurvivesALostRight: what arrived is kept for the uploader, in case the right comes back.
func TestAnUploadSurvivesALostRight(t *testing.T) {
	r := newRig(t, dbtest.Open(t, dbtest.SQLite))
	_, writer, take := r.writer()
	const blob = "content"
	d := digest.SHA256.Of([]byte(blob))
	location := path(r.want(r.send(call{method: "POST", path: "/v2/acme/app/blobs/uploads/", token: writer}), 202).header.Get("Location"))
	h := heldBack{"PUT", query(location, "digest="+d.String()), fmt.Sprintf("Content-Length: %d\r\n", len(blob)), blob[:3], blob[3:]}
	r.want(h.send(r, writer, take), 401)
	repo, err := r.registry.Repository(t.Context(), "acme", "app")
	r.must(err)
	r.grant(repo, r.user("writer"), access.Write)
	r.clock.advance(time.Minute)
	if got := r.want(r.send(call{path: location, token: writer}), 204).header.Get("Range"); got != "0-6" {
		t.Errorf("%s is kept", got)
	}
	r.want(r.send(call{method: "PUT", path: query(location, "digest="+d.String()), token: writer}), 201)
}
