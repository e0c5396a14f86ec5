package content

import (
	"context"
	"errors"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity/aged"
)

// DefaultMemory is a good value for Options.Memory: some 10,000 blobs.
const DefaultMemory = 4 << 20

// How old what is remembered may be on PostgreSQL, where other processes change it unseen.
const (
	rememberedAge   = 30 * time.Second // it is not used
	rememberedFresh = 15 * time.Second // from here on it is asked again when used
	rememberedSpare = 24 * time.Hour   // while the database is away
)

// memory is what a store remembers of blobs that repositories have, so that a pull in the steady state asks the database
// nothing. On SQLite it is exact: every change forgets what it concerns after its commit and before it answers. On
// PostgreSQL what another process removed may be served for rememberedAge, as long as its bytes are there; a promise is
// made by the tables alone. That a blob is not there is remembered nowhere.
type memory struct {
	exact bool
	blobs *aged.Cache[blobName, found]
}

type blobName struct {
	repositoryID int64
	digest       digest.Digest
}

func newMemory(d *db.DB, bytes int64, clock func() time.Time) memory {
	m := memory{exact: d.Dialect() == db.SQLite}
	if bytes <= 0 {
		return m
	}
	o := aged.Options{Age: rememberedAge, Refresh: rememberedFresh, Spare: rememberedSpare, Clock: clock}
	if m.exact {
		o.Age, o.Refresh = aged.Forever, 0
		d.OnForeignCommit(func() { m.blobs.Drop() })
	}
	m.blobs = aged.NewWeighed(o, bytes, func(_ blobName, f found) int { return 400 + len(f.Object.Path) })
	return m
}

// forget registers with a transaction that it changes what a repository says of a blob.
func (m *memory) forget(tx db.Tx, repositoryID int64, d digest.Digest) {
	tx.AfterCommit(func() { m.blobs.Forget(blobName{repositoryID, d}) })
}

// Forget makes the store ask the database again for every blob. It is for whatever removes blobs in this process by
// other means than a Store; it is to be called after the commit.
func (s *Store) Forget() { s.memory.blobs.Drop() }

// find looks a visible blob up, in memory if it may be old.
func (s *Store) find(ctx context.Context, repositoryID int64, d digest.Digest, now bool) (found, error) {
	ask := s.memory.blobs.Get
	if now && !s.memory.exact {
		ask = s.memory.blobs.Fresh
	}
	f, err := ask(ctx, blobName{repositoryID, d}, func(ctx context.Context) (found, error) {
		f, err := s.lookUp(ctx, repositoryID, d)
		if err == nil && !f.used && f.lease == 0 {
			// Only a hidden row shows it, for as long as its manifest is readable: that ends without this store's
			// knowing.
			err = unkept{f}
		}
		return f, err
	})
	var u unkept
	if errors.As(err, &u) {
		return u.found, nil
	}
	return f, err
}

// unkept carries what must not be remembered past the cache.
type unkept struct{ found }

func (unkept) Error() string { return "the blob is visible for as long as a manifest is" }
