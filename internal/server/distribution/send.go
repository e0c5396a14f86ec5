package distribution

import (
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/longshore-registry/longshore/internal/content"
)

// bufferSize is what bodies are copied through where the kernel cannot do it.
const bufferSize = 256 << 10

// sendObject sends a part of an object. Over plain HTTP/1.1 a file leaves by sendfile: that needs a reader that is a
// limit on the *os.File itself, a response writer that passes io.ReaderFrom on, and a header that is complete, so that
// nothing is sniffed or chunked. TLS and HTTP/2 have to see the bytes, and so has the check of a file that was touched:
// they are copied through a large buffer.
//
// When the header is out and the bytes end too soon, the only honest answer is to break the connection.
func (q *request) sendObject(status int, object content.Object, part span) error {
	if part.start > 0 {
		if _, err := object.Seek(part.start, io.SeekStart); err != nil {
			return fmt.Errorf("seek in stored object: %w", err)
		}
	}
	var reader io.Reader = object
	if f := content.File(object); f != nil {
		reader = f // at the object's position
	}
	q.w.WriteHeader(status)
	sent, err := q.copyBody(&io.LimitedReader{R: reader, N: part.length})
	if err == nil && sent < part.length {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		q.rec.Err = fmt.Errorf("%d of %d bytes were sent: %w", sent, part.length, err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (q *request) copyBody(from *io.LimitedReader) (int64, error) {
	if _, file := from.R.(*os.File); file && q.r.TLS == nil && q.r.ProtoMajor == 1 {
		return io.Copy(q.w, from)
	}
	buffer := q.buffers.Get().(*[]byte)
	defer q.buffers.Put(buffer)
	return io.CopyBuffer(struct{ io.Writer }{q.w}, from, *buffer)
}
