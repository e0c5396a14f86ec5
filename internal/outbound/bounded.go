package outbound

import (
	"io"
	"net/http"

	"github.com/longshore-registry/longshore/internal/problem"
)

// Bounded is a client whose answers have at most so many bytes: reading on is an error.
func Bounded(c *http.Client, limit int64) *http.Client {
	bounded := *c
	bounded.Transport = boundedTransport{c.Transport, limit}
	return &bounded
}

type boundedTransport struct {
	next  http.RoundTripper
	limit int64
}

func (t boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.next.RoundTrip(r)
	if err == nil {
		answer.Body = &boundedBody{ReadCloser: answer.Body, left: t.limit, limit: t.limit}
	}
	return answer, err
}

type boundedBody struct {
	io.ReadCloser
	left, limit int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, problem.New(problem.TooLarge, "the answer has more than %d bytes", b.limit)
	}
	return n, err
}
