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
	// unreadBytes is how much of a refused body is read after the answer.
	unreadBytes = 16 << 20
)

// responseWriter counts what leaves and keeps slow readers bounded. It is the only wrapper in the chain and passes
// io.ReaderFrom through, so that a file over plain HTTP/1.1 still leaves by sendfile.
type responseWriter struct {
	http.ResponseWriter
	control http.ResponseController
	status  int
	bytes   int64
	until   time.Time   // the write deadline
	since   int64       // what had left when it was set
	last    func() bool // whether the connection ends with this answer; nil for never
}

func newResponseWriter(w http.ResponseWriter) responseWriter {
	return responseWriter{ResponseWriter: w, control: *http.NewResponseController(w)}
}

// Unwrap lets http.ResponseController reach the connection.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader notes the status.
func (w *responseWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
		if w.last != nil && w.last() {
			w.Header().Set("Connection", "close")
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write counts, and gives every piece a deadline of its own.
func (w *responseWriter) Write(p []byte) (int, error) {
	for total := 0; ; {
		w.begin()
		n, err := w.ResponseWriter.Write(p[:min(len(p), pieceSize)])
		w.bytes += int64(n)
		total += n
		p = p[n:]
		if err != nil || len(p) == 0 {
			return total, err
		}
	}
}

// ReadFrom copies r to the client. A file, or a limit on one, goes out in pieces that the kernel copies, each under a
// deadline of its own. So does anything else, through Write.
func (w *responseWriter) ReadFrom(r io.Reader) (int64, error) {
	to, ok := w.ResponseWriter.(io.ReaderFrom)
	limited, isLimited := r.(*io.LimitedReader)
	if !ok || !isLimited {
		return io.Copy(struct{ io.Writer }{w}, r)
	}
	if _, ok := limited.R.(*os.File); !ok {
		return io.Copy(struct{ io.Writer }{w}, r)
	}
	w.begin()
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

// extend grants the client another stallLimit. A deadline that was set a moment ago, for this piece, stands: header and
// body of an answer set one. Connections without deadlines (tests) are left alone.
func (w *responseWriter) extend() {
	const moment = time.Second
	if until := time.Now().Add(stallLimit); until.Sub(w.until) > moment || w.bytes-w.since >= pieceSize {
		w.until, w.since = until, w.bytes
		_ = w.control.SetWriteDeadline(until)
	}
}

// end is for what net/http writes by itself: the rest of an answer, or all of one that no handler began.
func (w *responseWriter) end() { w.begin() }

// guardedBody gives each part of a request body stallLimit to arrive: a body may be long but not stalled. What is read
// into memory has a limit for the whole of it besides.
type guardedBody struct {
	io.ReadCloser
	control *http.ResponseController
	next    time.Time // when the deadline is moved again; it is coarse since moving costs a system call
	until   time.Time // when the whole body is to be there; zero for no such time
	ended   bool      // all of it has been read
}

// Read moves the deadline at most every few seconds, and not after the body's end: there net/http takes it away, and
// reads itself to notice a client that goes away, which a deadline would be taken for.
func (b *guardedBody) Read(p []byte) (int, error) {
	if now := time.Now(); !b.ended && now.After(b.next) {
		b.move(now)
	}
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || err == io.EOF
	return n, err
}

// within bounds the rest of the body.
func (b *guardedBody) within(d time.Duration) {
	now := time.Now()
	b.until = now.Add(d)
	b.move(now)
}

func (b *guardedBody) move(now time.Time) {
	deadline := now.Add(stallLimit)
	if !b.until.IsZero() && b.until.Before(deadline) {
		deadline = b.until
	}
	_ = b.control.SetReadDeadline(deadline)
	b.next = now.Add(5 * time.Second)
}

// drain reads the rest of a body that was refused, after the answer and within bounds. A client that does not look at
// the answer before it has written everything would see a broken connection in its place.
func (b *guardedBody) drain() {
	if err := b.control.Flush(); err != nil {
		return
	}
	b.within(unreadLimit)
	_, _ = io.CopyN(io.Discard, b, unreadBytes)
}
