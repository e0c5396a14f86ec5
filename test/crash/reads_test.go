//go:build e2e

package crash

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// object finds the file of a blob.
func (r *registry) object(t *testing.T, b []byte) string {
	t.Helper()
	hex := strings.TrimPrefix(digestOf(b), "sha256:")
	found, err := filepath.Glob(filepath.Join(r.Data, "storage", "sha256", hex[:2], hex+".*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("files of %s: %q, %v", hex, found, err)
	}
	return found[0]
}

// TestShortObject has a file that lost its end before anybody asks: it is never served, and a push replaces it.
func TestShortObject(t *testing.T) {
	t.Parallel()
	r := start(t, dbtest.SQLite)
	p := r.person(t)
	for _, left := range []int64{0, 1000, -1} { // -1: no file
		b := p.fresh(40_000)
		p.want("push", p.whole(b), http.StatusCreated)
		name := r.object(t, b)
		if left < 0 {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		} else if err := os.Truncate(name, left); err != nil {
			t.Fatal(err)
		}
		if answer := p.send(http.MethodGet, "/v2/"+places[0]+"/blobs/"+digestOf(b), nil, nil); answer.status < 400 {
			t.Errorf("a file of %d bytes is served with %d", left, answer.status)
		}
		p.want("HEAD by who may push", p.send(http.MethodHead, "/v2/"+places[0]+"/blobs/"+digestOf(b), nil, nil), http.StatusNotFound)
		p.want("push again", p.whole(b), http.StatusCreated)
		p.wantBlob("after the push", b)
	}
	outcome(t, "GET is an error, HEAD 404, and a push replaces the object")
}

// TestReadThatEndsEarly shortens a file while it is sent: the connection breaks, the answer has no clean end.
func TestReadThatEndsEarly(t *testing.T) {
	t.Parallel()
	r := start(t, dbtest.SQLite)
	p := r.person(t)
	b := p.fresh(100)
	b = append(b, make([]byte, 64<<20)...)
	p.want("push", p.whole(b), http.StatusCreated)
	token, err := r.client.token(t.Context(), false, []string{places[0]})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL("/v2/"+places[0]+"/blobs/"+digestOf(b)), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.CopyN(io.Discard, response.Body, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(r.object(t, b), 2<<20); err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, response.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("after %d more bytes the body ended with %v", n, err)
	}
	outcome(t, "the connection breaks; the client sees an unexpected end")
}

// spoil turns a bit of a file over. Its length and name are right afterwards.
func (r *registry) spoil(t *testing.T, b []byte, at int64) {
	t.Helper()
	time.Sleep(20 * time.Millisecond) // as much as the dates of files are coarse
	f, err := os.OpenFile(r.object(t, b), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{^b[at]}, at); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestChangedBytes has a bit turned over, in blobs that are read before the header and in ones that are not, at their
// beginning and at their end: nobody gets such a blob with a clean end, and a push replaces it.
func TestChangedBytes(t *testing.T) {
	t.Parallel()
	r := start(t, dbtest.SQLite)
	p := r.person(t)
	for _, size := range []int64{1000, 40_000, 64 << 10, 64<<10 + 1, 300_000, 3 << 20} {
		for _, at := range []int64{0, size - 1} {
			b := append(p.fresh(100), make([]byte, size-100)...)
			path := "/v2/" + places[0] + "/blobs/" + digestOf(b)
			p.want("push", p.whole(b), http.StatusCreated)
			p.wantBlob("before", b)
			r.spoil(t, b, at)
			answer, err := r.client.registry(t.Context(), http.MethodGet, path, nil, nil, places[0])
			switch {
			case size <= 256<<10:
				if err != nil || answer.status != http.StatusInternalServerError || !strings.Contains(string(answer.body), "damaged") || answer.header.Get("Cache-Control") != "" {
					t.Errorf("%d bytes: %v %v, Cache-Control %q", size, answer, err, answer.header.Get("Cache-Control"))
				}
			case err == nil && answer.status == http.StatusOK:
				t.Errorf("%d bytes, changed at %d: %d are served with a clean end", size, at, len(answer.body))
			case int64(len(answer.body)) > max(0, size-256<<10):
				t.Errorf("%d bytes, changed at %d: %d are served", size, at, len(answer.body))
			}
			p.want("GET again", p.send(http.MethodGet, path, nil, nil), http.StatusNotFound)
			p.want("push again", p.whole(b), http.StatusCreated)
			p.wantBlob("after the push", b)
		}
	}
	part := append(p.fresh(100), make([]byte, 1<<20)...)
	p.want("push", p.whole(part), http.StatusCreated)
	r.spoil(t, part, 1<<20)
	path := "/v2/" + places[0] + "/blobs/" + digestOf(part)
	p.want("a part that was not changed", p.send(http.MethodGet, path, nil, http.Header{"Range": {"bytes=0-99"}}), http.StatusInternalServerError)
	if !strings.Contains(r.complaints(), "push the blob again") {
		t.Errorf("the log does not say what to do:\n%s", r.complaints())
	}
	outcome(t, "blobs up to 256 KiB get 500, larger ones break off before their last 256 KiB; then 404, and a push replaces the object")
}

// TestTouchedFile has a file replaced by a copy, as after a restore from a backup: it is served, whole and in parts.
func TestTouchedFile(t *testing.T) {
	t.Parallel()
	r := start(t, dbtest.SQLite)
	p := r.person(t)
	b := append(p.fresh(100), make([]byte, 2<<20)...)
	p.want("push", p.whole(b), http.StatusCreated)
	for _, header := range []http.Header{nil, {"Range": {"bytes=5-99"}}} {
		time.Sleep(20 * time.Millisecond)
		name := r.object(t, b)
		if err := errors.Join(os.WriteFile(name+".copy", b, 0o644), os.Rename(name+".copy", name)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			answer := p.send(http.MethodGet, "/v2/"+places[0]+"/blobs/"+digestOf(b), nil, header)
			want := b
			if header != nil {
				want = b[5:100]
			}
			if answer.status/100 != 2 || !bytes.Equal(answer.body, want) {
				t.Errorf("%v: %d with %d bytes", header, answer.status, len(answer.body))
			}
		}
	}
	outcome(t, "it is served, read once more first")
}
