package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

const (
	checkpointAt   = 4 << 20               // bytes in the log that are not in the file yet
	checkpointRest = 20 * time.Millisecond // between two looks at the log
	pageSize       = 4096
)

// growLog makes the log as long as it will usually be, by real writes that are rolled back. A later commit then
// overwrites blocks of the disk, which syncs faster than extending a file. What fails leaves no transaction open.
func growLog(ctx context.Context, conn *sql.Conn, log string, size int64) error {
	if info, err := os.Stat(log); err == nil && info.Size() >= size {
		return nil
	}
	for _, query := range []string{
		"PRAGMA cache_size = 64", // so that pages are written before the commit that never comes
		"BEGIN IMMEDIATE",
		"CREATE TABLE grow_log (filler BLOB)",
		fmt.Sprintf("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "+
			"INSERT INTO grow_log SELECT zeroblob(3000) FROM n", size/pageSize+128),
		"ROLLBACK",
		"PRAGMA cache_size = -4096", // writerCache
	} {
		if _, err := conn.ExecContext(ctx, query); err != nil {
			_, _ = conn.ExecContext(ctx, "ROLLBACK") // there may be none to roll back
			return fmt.Errorf("growing the database's log: %w", err)
		}
	}
	return nil
}

// syncFile brings a file's blocks to the disk.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// checkpointer moves what is in the log to the file, on a connection of its own, so that no commit pays for it.
type checkpointer struct {
	pool    *sql.DB
	file    string // the log
	size    int64  // the log's usual length
	log     *slog.Logger
	pause   atomic.Bool
	grown   atomic.Bool // the log has just been grown, and lies in the kernel's memory
	wake    chan struct{}
	stopped chan struct{}
}

func newCheckpointer(pool *sql.DB, file string, size int64, log *slog.Logger) *checkpointer {
	return &checkpointer{pool: pool, file: file, size: size, log: log, wake: make(chan struct{}, 1), stopped: make(chan struct{})}
}

// nudge says that the log may have grown.
func (c *checkpointer) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// loop looks at the log whenever it may have grown.
func (c *checkpointer) loop(ctx context.Context) {
	defer close(c.stopped)
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
		if c.grown.Swap(false) {
			if err := syncFile(c.file); err != nil {
				c.log.Warn("the database's log could not be synced", "error", err)
			}
		}
		if err := c.look(ctx); err != nil && ctx.Err() == nil {
			c.log.Warn("the database's log could not be moved to its file", "error", err)
		}
		rest.Reset(checkpointRest)
		select {
		case <-ctx.Done():
			return
		case <-rest.C:
		}
	}
}

// look checkpoints when enough has gathered. PASSIVE waits for nobody, and while commits go on it never catches up
// with the last of them, so the log is not started again from its head. When it has become longer than usual, the
// writer is asked to move the small rest between two batches; then it is.
func (c *checkpointer) look(ctx context.Context) error {
	pending, total, err := c.checkpoint(ctx, "NOOP")
	if err != nil || pending < checkpointAt {
		return err
	}
	if _, total, err = c.checkpoint(ctx, "PASSIVE"); err != nil {
		return err
	}
	c.pause.Store(total > c.size)
	return nil
}

// wantsPause reports, once, whether the writer should move the rest of the log.
func (c *checkpointer) wantsPause() bool { return c.pause.Load() && c.pause.Swap(false) }

// finishCheckpoint is called between batches, when nothing is added to the log. A reader that still needs it makes
// this do less, never wait.
func (w *writer) finishCheckpoint() {
	if err := w.exec("PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
		w.log.Warn("the database's log could not be moved to its file", "error", err)
	}
}

// checkpoint runs a checkpoint and gives the bytes of the log that are not in the file yet, and of all of it.
func (c *checkpointer) checkpoint(ctx context.Context, mode string) (pending, total int64, err error) {
	var busy, frames, moved int64
	err = c.pool.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &frames, &moved)
	return (frames - moved) * pageSize, frames * pageSize, err
}

// close waits for the loop, which ends with its context, and closes the connection.
func (c *checkpointer) close() error {
	<-c.stopped
	return c.pool.Close()
}
