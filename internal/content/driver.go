package content

import (
	"context"
	"errors"
	"io"

	"github.com/longshore-registry/longshore/internal/digest"
)

// ErrLost means that the store does not hold what a session says: the upload cannot be continued.
var ErrLost = errors.New("the upload's bytes are not in the store")

// Driver keeps objects at one storage location. Its methods may be called concurrently, and by several processes on
// one location.
//
// An object has a path, is written once and never changed. A path is used for one upload only, so that a late or
// repeated Delete cannot hit anything but what it was meant for. A path from the database is served as it lies: it
// may have been written by another registry.
//
// Errors: *problem.Error of kind Unavailable when the store is away, busy or full and the call may be repeated;
// ErrLost and io/fs.ErrNotExist (found by errors.Is) where stated; anything else is a defect or a failing device.
type Driver interface {
	// Start chooses where a new upload goes. The id is a UUID. No content is written yet, no file made, and a session
	// whose row was never stored may be forgotten. Unavailable when the store has no room.
	Start(ctx context.Context, id string) (Session, error)

	// Resume opens an upload to write at byte s.Size. What the store holds beyond is dropped. One writer of a session
	// is used at a time; see Adopt. The context is that of all the writer's writes too; it does not end when the client
	// goes away. ErrLost when the store holds less than s.Size bytes.
	Resume(ctx context.Context, s Session) (Writer, error)

	// Adopt detaches an upload from a writer that may still be running in another process: nothing that it does later
	// changes what is published of the result. generation differs from that of every other call for this upload. The
	// result has a Path of its own, and s is abandoned once the result is stored; or it has that of s, where a late
	// write makes Publish fail instead. ErrLost.
	Adopt(ctx context.Context, s Session, generation int64) (Session, error)

	// Publish makes an object of the first s.Size bytes of an upload and gives its path. The object is whole or absent
	// at any time. When Publish returns nil the object is durable and Open finds it, in every process. The digest may
	// become part of the path; it is not verified. Publish may be asked again until the session is abandoned, by
	// another process too, and then gives the same path. After an error of kind Unavailable the session is as it was;
	// after any other the upload is lost. ErrLost.
	Publish(ctx context.Context, s Session, d digest.Digest) (path string, err error)

	// Abandon removes whatever there is of an upload, published or not; no row may name its object. Repeating it is
	// harmless, and nothing to remove is success.
	Abandon(ctx context.Context, s Session) error

	// Open opens an object. io/fs.ErrNotExist.
	Open(ctx context.Context, path string) (Object, error)

	// Stat gives an object's size in bytes. io/fs.ErrNotExist.
	Stat(ctx context.Context, path string) (int64, error)

	// Delete removes objects. When it returns nil they are gone and stay gone after a power cut; one that was absent
	// counts as removed. After an error some may be gone.
	Delete(ctx context.Context, paths ...string) error

	// Check reports whether objects can be written now.
	Check(ctx context.Context) error
}

// Session is what the database keeps of an upload for its driver.
type Session struct {
	ID    string
	Path  string // where the bytes are collected; in an object store the object's final path
	Size  int64  // bytes that count; the store may hold more
	State []byte // the driver's own; nil where it needs none
	Parts []Part // finished parts in order, of drivers that have State; a later session only adds to them

	// Object is the path that Publish gave; empty before, and in a session that comes from the database.
	Object string
}

// Part is a finished part of a multipart upload.
type Part struct {
	Number int64 // from 1, without gaps
	Size   int64 // bytes
	ETag   string
}

// Writer takes the bytes of an upload. After an error of Write or Save only Close may follow; the upload can be resumed
// from the session that was stored last.
type Writer interface {
	// Write takes all of p or fails.
	io.Writer
	// Save makes what was written so far continuable by another process and gives the session to store. It is called
	// again only after that session was stored. last says that the content is complete and verified: the session need
	// not be continuable any more, only publishable.
	Save(ctx context.Context, last bool) (Session, error)
	// Close releases the writer's resources. It saves nothing.
	Close() error
}

// Files is a Driver on a file system. Its Stat costs microseconds, so that a promise is checked against the bytes. What
// it holds of unfinished uploads may be unsynced: in a power cut it may be lost although the file's length is right.
type Files interface {
	Driver
	// Epoch names the time in which unsynced bytes are safe, such as the one since the system was started; empty when
	// Save syncs.
	Epoch() string
	// Sweep removes what a process that died while it adopted an upload has left: all files of the upload, but that of
	// s, whose generation is below the given one.
	Sweep(ctx context.Context, s Session, generation int64) error
	// Reclaim brings back an upload whose file has become an object already, so that it is resumed like any other. No row
	// names that object, and none ever will. d is the digest it was published with; zero when that is not known. ErrLost.
	Reclaim(ctx context.Context, s Session, d digest.Digest) error
	// Mark gives the location a name, durably, in place of one it has.
	Mark(ctx context.Context, name string) error
	// Marker gives the name; empty when it has none, or is not there at all.
	Marker(ctx context.Context) (Marker, error)
	// Reread reads the s.Size bytes of an unfinished upload. ErrLost.
	Reread(ctx context.Context, s Session) (io.ReadCloser, error)
}

// Marker is the name that a location bears. A folder on whose place nothing is mounted has none, or another one.
type Marker struct {
	Name string
	File string // that holds it, as the operating system knows it
}
