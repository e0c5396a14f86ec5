package app

import (
	"net/http"
	"time"

	blobfiles "github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/db"
)

// seams are where tests get between the program and what it stands on. All are empty unless the program was built with
// the tag crashpoints.
type seams struct {
	clock   func() time.Time                            // nil: time.Now
	watch   func(transaction string, m db.Moment) error // nil: nobody watches transactions
	files   blobfiles.FileSystem                        // nil: the operating system's
	answers func(http.Handler) http.Handler             // nil: answers go out as they are

	spool      func(step string, do func() error) error // nil: nobody watches the action log's spool
	spoolBytes int64                                    // 0: as much as usual
}

func (s seams) now() time.Time {
	if s.clock == nil {
		return time.Now()
	}
	return s.clock()
}

func (s seams) fileSystem() blobfiles.FileSystem {
	if s.files == nil {
		return blobfiles.OS{}
	}
	return s.files
}

func (s seams) handler(h http.Handler) http.Handler {
	if s.answers == nil {
		return h
	}
	return s.answers(h)
}
