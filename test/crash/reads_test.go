//go:build e2e

package crash

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

// TestChangedBytes has a bit turned over. Length and name are right, and a pull leaves by sendfile, unread: what the
// registry promises is that the digest it sends does not match, so that the client refuses the blob.
func TestChangedBytes(t *testing.T) {
	t.Parallel()
	r := start(t, dbtest.SQLite)
	p := r.person(t)
	b := p.fresh(40_000)
	p.want("push", p.whole(b), http.StatusCreated)
	f, err := os.OpenFile(r.object(t, b), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{^b[20_000]}, 20_000); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	answer := p.send(http.MethodGet, "/v2/"+places[0]+"/blobs/"+digestOf(b), nil, nil)
	if answer.status == http.StatusOK && answer.header.Get("Docker-Content-Digest") == digestOf(answer.body) {
		t.Error("the changed bytes have the digest that is promised")
	}
	outcome(t, "served with the stored digest, which the client finds wrong: the server does not read what it sends")
}
