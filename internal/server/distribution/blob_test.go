package distribution_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
)

// fileListener counts what its connections are asked to send straight from files.
type fileListener struct {
	net.Listener
	files *atomic.Int64
}

type fileConn struct {
	*net.TCPConn
	files *atomic.Int64
}

func (l fileListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return fileConn{c.(*net.TCPConn), l.files}, nil
}

// ReadFrom is where sendfile is used, if what is read is a file or a limit on one.
func (c fileConn) ReadFrom(r io.Reader) (int64, error) {
	limited, ok := r.(*io.LimitedReader)
	if ok {
		_, ok = limited.R.(*os.File)
	}
	n, err := c.TCPConn.ReadFrom(r)
	if ok {
		c.files.Add(n)
	}
	return n, err
}

func TestBlobsLeaveStraightFromTheirFiles(t *testing.T) {
	var files atomic.Int64
	r := newRig(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) {
		s.listener = func(l net.Listener) net.Listener { return fileListener{l, &files} }
	})
	token := r.token("alice", scopeOf("alice/app", "pull,push"))
	blob := make([]byte, 9<<20)
	_, _ = rand.Read(blob)
	r.clock.advance(time.Minute) // files are dated by another clock, and these are to be older than their rows
	d := r.upload(token, "alice/app", blob)
	for header, want := range map[string][]byte{"": blob, "bytes=1048576-7340031": blob[1<<20 : 7<<20]} {
		files.Store(0)
		a := r.send(call{path: "/v2/alice/app/blobs/" + d.String(), token: token, header: map[string]string{"Range": header}})
		if !bytes.Equal(a.body, want) {
			t.Errorf("range %q: status %d, %d bytes that differ from the %d wanted", header, a.status, len(a.body), len(want))
		}
		// The first 512 bytes go out with the header.
		if sent := files.Load(); sent < int64(len(want))-512 {
			t.Errorf("range %q: %d of %d bytes were sent from the file", header, sent, len(want))
		}
	}
}

func TestBlobsOverTLSAndHTTP2(t *testing.T) {
	r := newRig(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) { s.tls = true })
	blob := make([]byte, 3<<20)
	_, _ = rand.Read(blob)
	r.repository(r.user("alice"), "app", true)
	for _, http2 := range []bool{false, true} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: http2}
		t.Cleanup(transport.CloseIdleConnections)
		client := &http.Client{Transport: transport}
		do := func(method, path, token string, body []byte) (*http.Response, []byte) {
			req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, bytes.NewReader(body))
			r.must(err)
			if token == "" {
				req.SetBasicAuth("alice", password("alice"))
			} else {
				req.Header.Set("Authorization", "Bearer "+token)
			}
			resp, err := client.Do(req)
			r.must(err)
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			r.must(err)
			return resp, got
		}
		_, body := do("GET", authPath(scopeOf("alice/app", "pull,push")), "", nil)
		token := tokenIn(t, answer{body: body})
		d := digest.SHA256.Of(blob)
		if resp, body := do("POST", "/v2/alice/app/blobs/uploads/?digest="+d.String(), token, blob); resp.StatusCode != 201 {
			t.Fatalf("status %d: %s", resp.StatusCode, body)
		}
		resp, got := do("GET", "/v2/alice/app/blobs/"+d.String(), token, nil)
		if !bytes.Equal(got, blob) || (resp.ProtoMajor == 2) != http2 || resp.ContentLength != int64(len(blob)) {
			t.Errorf("%s: %d bytes, Content-Length %d", resp.Proto, len(got), resp.ContentLength)
		}
	}
}

func TestBlobHeaders(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRig(t, d)
		token := r.token("alice", scopeOf("alice/app", "pull,push"))
		blob := []byte("0123456789")
		of := "/v2/alice/app/blobs/" + r.upload(token, "alice/app", blob).String()
		etag := `"` + digest.SHA256.Of(blob).String() + `"`
		for _, row := range []struct {
			name   string
			method string
			header map[string]string
			status int
			body   string
			want   map[string]string
		}{
			{"HEAD", "HEAD", nil, 200, "", map[string]string{"Content-Length": "10", "Content-Type": octetStream, "Accept-Ranges": "bytes", "Etag": etag, "Cache-Control": "max-age=31436000"}},
			{"HEAD with a range", "HEAD", map[string]string{"Range": "bytes=1-2"}, 200, "", map[string]string{"Content-Length": "10"}},
			{"GET", "GET", nil, 200, "0123456789", map[string]string{"Content-Length": "10", "Content-Type": octetStream, "Accept-Ranges": "bytes", "Etag": etag, "Cache-Control": "max-age=31536000"}},
			{"a part", "GET", map[string]string{"Range": "bytes=2-3"}, 206, "23", map[string]string{"Content-Length": "2", "Content-Range": "bytes 2-3/10"}},
			{"two parts", "GET", map[string]string{"Range": "bytes=2-3,5-6"}, 200, "0123456789", map[string]string{"Content-Range": ""}},
			{"a part of the same", "GET", map[string]string{"Range": "bytes=2-3", "If-Range": etag}, 206, "23", nil},
			{"a part of another", "GET", map[string]string{"Range": "bytes=2-3", "If-Range": `"other"`}, 200, "0123456789", nil},
			{"a part beyond the end", "GET", map[string]string{"Range": "bytes=10-11"}, 416, "", map[string]string{"Content-Range": "bytes */10", "Cache-Control": ""}},
			{"what the client has", "GET", map[string]string{"If-None-Match": etag}, 304, "", map[string]string{"Etag": etag}},
			{"what the client has not", "GET", map[string]string{"If-None-Match": `"other"`}, 200, "0123456789", nil},
		} {
			a := r.send(call{method: row.method, path: of, token: token, header: row.header})
			if a.status != row.status || string(a.body) != row.body {
				t.Errorf("%s: status %d, body %q", row.name, a.status, a.body)
			}
			for name, want := range row.want {
				if got := a.header.Get(name); got != want {
					t.Errorf("%s: %s is %q, want %q", row.name, name, got, want)
				}
			}
		}
		empty := r.upload(token, "alice/app", nil)
		for _, method := range []string{"GET", "HEAD"} {
			a := r.want(r.send(call{method: method, path: "/v2/alice/app/blobs/" + empty.String(), token: token, header: map[string]string{"Range": "bytes=0-"}}), 200)
			if a.header.Get("Content-Length") != "0" {
				t.Errorf("%s of an empty blob: %v", method, a.header)
			}
		}
	})
}

func TestManifestsKnowTheirEntityTag(t *testing.T) {
	r := newRig(t, dbtest.Open(t, dbtest.SQLite))
	token := r.token("alice", scopeOf("alice/app", "pull,push"))
	etag := `"` + r.push(token, "alice/app", "v1", emptyIndex).String() + `"`
	a := r.want(r.send(call{path: "/v2/alice/app/manifests/v1", token: token, header: map[string]string{"If-None-Match": etag}}), 304)
	if a.header.Get("ETag") != etag || a.header.Get("Docker-Content-Digest") == "" {
		t.Errorf("%v", a.header)
	}
	r.push(token, "alice/app", "v1", []byte(strings.Replace(string(emptyIndex), "[]", "[ ]", 1)))
	r.want(r.send(call{path: "/v2/alice/app/manifests/v1", token: token, header: map[string]string{"If-None-Match": etag}}), 200)
}

// TestDamagedBlobsAreNotServed cuts the stored file: a body that cannot be whole is never begun with status 200.
func TestDamagedBlobsAreNotServed(t *testing.T) {
	dir := ""
	r := newRig(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) { s.storage = func(d string) { dir = d } })
	token := r.token("alice", scopeOf("alice/app", "pull,push"))
	d := r.upload(token, "alice/app", bytes.Repeat([]byte("x"), 1000))
	files, err := filepath.Glob(filepath.Join(dir, "sha256", d.Hex()[:2], d.Hex()+"*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	r.must(os.Truncate(files[0], 900))
	r.want(r.send(call{path: "/v2/alice/app/blobs/" + d.String(), token: token}), 500, 404)
}

// TestACutUploadGoesOn breaks the connection in the middle of a chunk.
func TestACutUploadGoesOn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRig(t, d)
		token := r.token("alice", scopeOf("alice/app", "pull,push"))
		blob := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		location := path(r.want(r.send(call{method: "POST", path: "/v2/alice/app/blobs/uploads/", token: token}), 202).header.Get("Location"))

		conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		r.must(err)
		_, err = io.WriteString(conn, "PATCH "+location+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+token+"\r\nContent-Length: 1048576\r\n\r\n")
		r.must(err)
		_, err = conn.Write(blob[:500_000])
		r.must(err)
		r.must(conn.Close())

		var kept string
		for kept == "" || kept == "0-0" { // the server notices the cut a moment later
			a := r.send(call{path: location, token: token})
			if a.status == 204 {
				kept = a.header.Get("Range")
			}
		}
		if kept != "0-499999" {
			t.Fatalf("kept is %q", kept)
		}
		r.want(r.send(call{method: "PATCH", path: location, token: token, body: blob[500_000:], header: map[string]string{"Content-Range": "500000-1048575"}}), 202)
		sum := digest.SHA256.Of(blob)
		r.want(r.send(call{method: "PUT", path: query(location, "digest="+sum.String()), token: token}), 201)
		if a := r.send(call{path: "/v2/alice/app/blobs/" + sum.String(), token: token}); !bytes.Equal(a.body, blob) {
			t.Errorf("status %d, %d bytes", a.status, len(a.body))
		}
	})
}

// signing is a driver whose objects clients can fetch themselves.
type signing struct{ *fs.Driver }

func (signing) URL(_ context.Context, path string, lifetime time.Duration) (string, error) {
	return "https://storage.example/" + path + "?for=" + lifetime.String(), nil
}

func TestBlobsAreRedirectedToStorageThatCanServeThem(t *testing.T) {
	for _, proxy := range []bool{false, true} {
		r := newRig(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) {
			s.driver = func(d *fs.Driver) content.Driver { return signing{d} }
			s.options.ProxyStorage = proxy
		})
		token := r.token("alice", scopeOf("alice/app", "pull,push"))
		d := r.upload(token, "alice/app", []byte("some blob"))
		of := "/v2/alice/app/blobs/" + d.String()
		if proxy {
			r.want(r.send(call{path: of, token: token}), 200)
			continue
		}
		a := r.want(r.send(call{path: of, token: token}), 302)
		location := a.header.Get("Location")
		if !strings.HasPrefix(location, "https://storage.example/sha256/") || !strings.HasSuffix(location, "?for=10m0s") {
			t.Errorf("Location %q", location)
		}
		if a.header.Get("Docker-Content-Digest") != d.String() || a.header.Get("Cache-Control") != "" || len(a.body) != 0 {
			t.Errorf("%v, body %q", a.header, a.body)
		}
		r.want(r.send(call{method: "HEAD", path: of, token: token}), 200)
		r.want(r.send(call{path: of}), 401)
	}
}

func TestBlobsOverTheLimitAreRefused(t *testing.T) {
	r := newRig(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) { s.maxBlob = 10 })
	token := r.token("alice", scopeOf("alice/app", "pull,push"))
	r.upload(token, "alice/app", []byte("0123456789"))
	tooMuch := []byte("0123456789a")
	d := digest.SHA256.Of(tooMuch).String()
	begin := func() string {
		return path(r.want(r.send(call{method: "POST", path: "/v2/alice/app/blobs/uploads/", token: token}), 202).header.Get("Location"))
	}
	for name, c := range map[string]call{
		"POST":  {method: "POST", path: "/v2/alice/app/blobs/uploads/?digest=" + d},
		"PATCH": {method: "PATCH", path: begin()},
		"PUT":   {method: "PUT", path: query(begin(), "digest="+d)},
	} {
		c.token, c.body = token, tooMuch
		if a := r.want(r.send(c), 413); a.code() != "SIZE_INVALID" && a.code() != "BLOB_UPLOAD_INVALID" {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	r.want(r.send(call{path: "/v2/alice/app/blobs/" + d, token: token}), 404)
}
