package db

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

// TestWhoSeesAChangeIsAnsweredAfterItsCachesAre has one transaction remove a row and a second one, in the same batch or
// the next, find it gone. The second one changes nothing and has nothing to forget, and yet what it says must not come
// before the caches of the first were dropped.
func TestWhoSeesAChangeIsAnsweredAfterItsCachesAre(t *testing.T) {
	gone := errors.New("gone")
	for _, before := range []time.Duration{0, 10 * time.Millisecond} { // within the batch's time, and after it
		d := openFile(t)
		if err := d.Hard(t.Context(), "add", addRow("a")); err != nil {
			t.Fatal(err)
		}
		var dropped atomic.Bool
		removing, second := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(second)
			<-removing
			err := d.Hard(t.Context(), "remove again", func(ctx context.Context, tx Tx) error {
				if n, err := tx.Exec(ctx, "DELETE FROM t WHERE name = 'a'"); err != nil || n > 0 {
					return err
				}
				return gone
			})
			if !errors.Is(err, gone) || !dropped.Load() {
				t.Errorf("the second caller got %v; caches dropped: %t", err, dropped.Load())
			}
		}()
		err := d.Hard(t.Context(), "remove", func(ctx context.Context, tx Tx) error {
			tx.AfterCommit(func() {
				time.Sleep(20 * time.Millisecond)
				dropped.Store(true)
			})
			_, err := tx.Exec(ctx, "DELETE FROM t WHERE name = 'a'")
			close(removing)
			for len(d.sqlite.writer.requests.queue) == 0 {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(before)
			return err
		})
		if err != nil || !dropped.Load() {
			t.Errorf("the first caller got %v; caches dropped: %t", err, dropped.Load())
		}
		<-second
	}
}

// TestCachesAreDroppedAfterACommitThatFailed: it may have happened.
func TestCachesAreDroppedAfterACommitThatFailed(t *testing.T) {
	d := openFile(t)
	fails := errors.New("the disk")
	d.sqlite.writer.watch = func(_ string, m Moment) error {
		if m == Committed {
			return fails
		}
		return nil
	}
	dropped := false
	err := d.Hard(t.Context(), "add", func(ctx context.Context, tx Tx) error {
		tx.AfterCommit(func() { dropped = true })
		return addRow("a")(ctx, tx)
	})
	if err == nil || !dropped {
		t.Errorf("got %v; caches dropped: %t", err, dropped)
	}
}
