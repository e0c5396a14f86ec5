package server

import (
	"io"
	"net/http"
	"os"
	"time"
)

const (
	// pieceSize is how much of a file leaves under one write deadline.
	pieceSize = 4 << 20
	// stallLimit is how long a client may take for one piece, or for the next bytes of a request body.
	stallLimit = 2 * time.Minute
	// unreadLimit is how long the rest of a body may take that no handler reads.
	unreadLimit = 10 * time.Second
)

// responseWriter counts what leaves and keeps slow readers bounded. It is the only wrapper in the chain and passes
// io.ReaderFrom through, so that a file over plain HTTP/1.1 still leaves by sendfile.
type responseWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	status  int
	bytes   int64
}

func newResponseWriter(w http.ResponseWriter) *responseWriter {
	return &responseWriter{ResponseWriter: w, control: http.NewResponseController(w)}
}

// Unwrap lets http.ResponseController reach the connection.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader notes the status.
func (w *responseWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write counts.
func (w *responseWriter) Write(p []byte) (int, error) {
	w.begin()
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// ReadFrom copies r to the client. A file, or a limit on one, goes out in pieces that the kernel copies, each under a
// deadline of its own.
func (w *responseWriter) ReadFrom(r io.Reader) (int64, error) {
	w.begin()
	to, ok := w.ResponseWriter.(io.ReaderFrom)
	if !ok {
		n, err := io.Copy(struct{ io.Writer }{w.ResponseWriter}, r)
		w.bytes += n
		return n, err
	}
	limited, ok := r.(*io.LimitedReader)
	if !ok {
		n, err := to.ReadFrom(r)
		w.bytes += n
		return n, err
	}
	if _, ok := limited.R.(*os.File); !ok {
		n, err := to.ReadFrom(r)
		w.bytes += n
		return n, err
	}
	return w.sendFile(to, limited)
}

func (w *responseWriter) sendFile(to io.ReaderFrom, limited *io.LimitedReader) (int64, error) {
	var total int64
	for limited.N > 0 {
		piece := io.LimitedReader{R: limited.R, N: min(limited.N, pieceSize)}
		size := piece.N
		n, err := to.ReadFrom(&piece)
		limited.N -= n
		total += n
		w.bytes += n
		if err != nil || n < size {
			return total, err
		}
		w.extend()
	}
	return total, nil
}

func (w *responseWriter) begin() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.extend()
}

// extend grants the client another stallLimit. Connections without deadlines (tests) are left alone.
func (w *responseWriter) extend() { _ = w.control.SetWriteDeadline(time.Now().Add(stallLimit)) }

// guardedBody gives each part of a request body stallLimit to arrive: a body may be long but not stalled.
type guardedBody struct {
	io.ReadCloser
	control *http.ResponseController
	next    time.Time // when the deadline is moved again; it is coarse since moving costs a system call
}

// Read moves the deadline at most every few seconds.
func (b *guardedBody) Read(p []byte) (int, error) {
	if now := time.Now(); now.After(b.next) {
		_ = b.control.SetReadDeadline(now.Add(stallLimit))
		b.next = now.Add(5 * time.Second)
	}
	return b.ReadCloser.Read(p)
}
