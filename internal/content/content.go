// Package content keeps blobs and the uploads they come from.
//
// A blob is stored once, by digest, whatever repositories use it; who may see it is decided by rows of blob_ref, one
// for each manifest that uses it and one for a lease. A lease keeps the promise "this blob is here" for an hour or
// more: it is taken when a blob is uploaded, mounted, or asked for by somebody who may push.
//
// A blob is streamed once: hashed while written, verified, made durable under a name that is used only once, then
// published by the commit of one hard transaction. An upload's state lives in the database, so that any process that
// shares the store can continue it.
package content

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/longshore-registry/longshore/internal/digest"
)

// Blob is content that is visible in a repository.
type Blob struct {
	ID     int64
	Digest digest.Digest
	Size   int64 // bytes
	Object Locator
}

// Locator says where a blob's bytes lie.
type Locator struct {
	Location string // storage location's name, a key of DISTRIBUTED_STORAGE_CONFIG
	Path     string // relative to the location
	// Published is when the object was recorded, after the last thing that was done to it, in Unix milliseconds; 0 when
	// that is not known, as for what another registry wrote.
	Published int64
}

// Owner is whom an upload belongs to. Another repository's or another actor's upload is unknown to the caller.
type Owner struct {
	RepositoryID int64
	AccountID    int64  // 0 for a credential without account
	Actor        string // stable name of the principal, such as "user:<uuid>"
}

// Upload is an upload in progress.
type Upload struct {
	ID       string
	Received int64 // bytes kept so far
}

// Chunk is the body of a request that continues an upload. At most the bytes that the range names are read; a body
// that ends before is taken as it is.
type Chunk struct {
	From int64     // first byte's offset, -1 when the client named no range: append
	To   int64     // last byte's offset, inclusive; From-1 for an empty range; -1 when the client named no range
	Body io.Reader // nil for an empty one

	// Complete is called by Finish when the last byte has arrived and nothing is published yet: the caller may have
	// lost its right while the body was held back. With an error, which Finish returns, the upload stays as it is. Nil
	// asks nobody.
	Complete func(context.Context) error
}

// Object is an open blob. Over plain HTTP/1.1 the reader of a file leaves by sendfile: File gives it where there is one.
type Object interface {
	io.ReadSeekCloser
	Size() int64
}

// Redirector is a Driver that can hand out URLs which serve an object for a limited time.
type Redirector interface {
	URL(ctx context.Context, path string, lifetime time.Duration) (string, error)
}

// File gives the file that an object is read from, nil when it does not come from one. It shares the object's position
// and is closed with it. Handing it to io.Copy, or a limit on it, lets the kernel send the bytes.
func File(o Object) *os.File {
	if f, ok := o.(interface{ File() *os.File }); ok {
		return f.File()
	}
	return nil
}
