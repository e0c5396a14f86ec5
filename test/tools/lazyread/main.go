// Command lazyread prints one file of a seekable layer (eStargz or zstd:chunked) straight from a registry, fetching
// only the ranges it needs, the way a lazy-pulling snapshotter does. The table of contents and every chunk are
// verified against the digest that the image's manifest names.
//
//	lazyread [-header 'Authorization: …'] [-ca FILE] -toc DIGEST URL FILE
//
// The last line on standard error is "N ranges, B of S bytes".
package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/containerd/stargz-snapshotter/estargz"
	"github.com/containerd/stargz-snapshotter/estargz/zstdchunked"
	"github.com/opencontainers/go-digest"
)

func main() {
	header := flag.String("header", "", "header to send, as `Name: value`")
	ca := flag.String("ca", "", "PEM `file` with the only certificate authority to trust")
	toc := flag.String("toc", "", "`digest` of the table of contents, from the layer's annotations")
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*header, *ca, *toc, flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, "lazyread:", err)
		os.Exit(1)
	}
}

func run(header, ca, toc, url, name string) error {
	client, err := newClient(ca)
	if err != nil {
		return err
	}
	blob := &remote{client: client, url: url, header: header}
	if err := blob.stat(); err != nil {
		return err
	}
	reader, err := estargz.Open(io.NewSectionReader(blob, 0, blob.size), estargz.WithDecompressors(new(zstdchunked.Decompressor)))
	if err != nil {
		return err
	}
	verifiers, err := reader.VerifyTOC(digest.Digest(toc))
	if err != nil {
		return err
	}
	data, err := contents(reader, verifiers, name)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d ranges, %d of %d bytes\n", blob.ranges, blob.read, blob.size)
	_, err = os.Stdout.Write(data)
	return err
}

// contents reads a file chunk by chunk and checks each against the table of contents.
func contents(reader *estargz.Reader, verifiers estargz.TOCEntryVerifier, name string) ([]byte, error) {
	entry, ok := reader.Lookup(name)
	if !ok {
		return nil, fmt.Errorf("the layer has no file %s", name)
	}
	file, err := reader.OpenFile(name)
	if err != nil {
		return nil, err
	}
	data := make([]byte, entry.Size)
	for offset := int64(0); offset < entry.Size; {
		chunk, ok := reader.ChunkEntryForOffset(name, offset)
		if !ok {
			return nil, fmt.Errorf("%s has no chunk at %d", name, offset)
		}
		size := chunk.ChunkSize
		if size == 0 {
			size = entry.Size - offset
		}
		part := data[offset : offset+size]
		if _, err := file.ReadAt(part, offset); err != nil && err != io.EOF {
			return nil, err
		}
		verifier, err := verifiers.Verifier(chunk)
		if err != nil {
			return nil, err
		}
		if _, err := verifier.Write(part); err != nil {
			return nil, err
		}
		if !verifier.Verified() {
			return nil, fmt.Errorf("%s: the chunk at %d does not have the digest that the table of contents names", name, offset)
		}
		offset += size
	}
	return data, nil
}

func newClient(ca string) (*http.Client, error) {
	if ca == "" {
		return http.DefaultClient, nil
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", ca)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}, nil
}

// remote reads a blob by HTTP ranges. An answer that is not exactly the range asked for is an error.
type remote struct {
	client *http.Client
	url    string
	header string
	size   int64
	ranges int
	read   int64
}

func (r *remote) stat() error {
	response, err := r.do(http.MethodHead, "")
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK || response.ContentLength <= 0 {
		return fmt.Errorf("HEAD %s: %s, Content-Length %d", r.url, response.Status, response.ContentLength)
	}
	r.size = response.ContentLength
	return nil
}

// ReadAt implements io.ReaderAt.
func (r *remote) ReadAt(p []byte, off int64) (int, error) {
	want := fmt.Sprintf("bytes %d-%d/%d", off, off+int64(len(p))-1, r.size)
	response, err := r.do(http.MethodGet, fmt.Sprintf("bytes=%d-%d", off, off+int64(len(p))-1))
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Range"); response.StatusCode != http.StatusPartialContent || got != want {
		return 0, fmt.Errorf("GET %s: %s with Content-Range %q, want 206 and %q", r.url, response.Status, got, want)
	}
	n, err := io.ReadFull(response.Body, p)
	r.ranges++
	r.read += int64(n)
	return n, err
}

func (r *remote) do(method, span string) (*http.Response, error) {
	request, err := http.NewRequest(method, r.url, nil)
	if err != nil {
		return nil, err
	}
	if name, value, ok := strings.Cut(r.header, ":"); ok {
		request.Header.Set(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	if span != "" {
		request.Header.Set("Range", span)
	}
	return r.client.Do(request)
}
