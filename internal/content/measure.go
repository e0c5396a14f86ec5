package content

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
)

const (
	measureBatch = 10_000           // blobs that one statement adds up
	measureEvery = time.Minute      // how often a process looks whether somebody asked
	measureStale = 10 * time.Minute // silence after which a computation counts as lost
)

// Measurement is how much all locations hold together: each blob once, whatever repositories use it and however many
// copies there are.
type Measurement struct {
	Bytes   int64
	At      time.Time // when it was computed; zero for never
	Queued  bool      // somebody has asked for a new one
	Running bool      // a process computes one
}

// Measured gives the last result.
func (s *Store) Measured(ctx context.Context) (Measurement, error) {
	var m Measurement
	var measured, queued, running sql.NullInt64
	err := s.db.QueryRow(ctx, `SELECT bytes, measured_ms, queued_ms, running_ms FROM registry_size WHERE id = 1`).
		Scan(&m.Bytes, &measured, &queued, &running)
	if err != nil {
		return m, fmt.Errorf("look up the registry's size: %w", err)
	}
	if measured.Valid {
		m.At = db.Time(measured.Int64)
	}
	m.Queued, m.Running = queued.Valid, running.Valid && running.Int64 > db.Millis(s.clock().Add(-measureStale))
	return m, nil
}

// QueueMeasure asks for a new result; false when somebody has asked already, or it is being computed. Any process that
// runs RunMeasure takes it up within a minute, this one at once.
func (s *Store) QueueMeasure(ctx context.Context) (queued bool, err error) {
	err = s.db.Hard(ctx, "queue the registry's size", func(ctx context.Context, tx db.Tx) error {
		now := s.clock()
		n, err := tx.Exec(ctx, `UPDATE registry_size SET queued_ms = $1
			WHERE id = 1 AND queued_ms IS NULL AND (running_ms IS NULL OR running_ms <= $2)`, db.Millis(now), db.Millis(now.Add(-measureStale)))
		if err != nil {
			return fmt.Errorf("queue the registry's size: %w", err)
		}
		if queued = n == 1; queued {
			tx.AfterCommit(s.wakeMeasure)
		}
		return nil
	})
	return queued, err
}

func (s *Store) wakeMeasure() {
	select {
	case s.asked <- struct{}{}:
	default:
	}
}

// RunMeasure computes the size whenever somebody asks, until ctx ends.
func (s *Store) RunMeasure(ctx context.Context) error {
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for {
		if err := s.measureIfAsked(db.Background(ctx)); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "the registry's size could not be computed; it is tried again later", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.asked:
		}
	}
}

// measureIfAsked takes the job, if there is one and no other process has it, and does it. One that is cut off is taken
// up by whoever sees the silence.
func (s *Store) measureIfAsked(ctx context.Context) error {
	var mine bool
	err := s.db.Soft(ctx, "take up the registry's size", func(ctx context.Context, tx db.Tx) error {
		now := s.clock()
		n, err := tx.Exec(ctx, `UPDATE registry_size SET running_ms = $1, queued_ms = NULL
			WHERE id = 1 AND (queued_ms IS NOT NULL AND running_ms IS NULL OR running_ms <= $2)`, db.Millis(now), db.Millis(now.Add(-measureStale)))
		mine = n == 1
		return err
	})
	if err != nil || !mine {
		return err
	}
	bytes, err := s.addUp(ctx)
	if err != nil {
		return errors.Join(err, s.endMeasure(ctx, `UPDATE registry_size SET queued_ms = running_ms, running_ms = NULL WHERE id = 1`))
	}
	return s.endMeasure(ctx, `UPDATE registry_size SET bytes = $1, measured_ms = $2, running_ms = NULL WHERE id = 1`, bytes, db.Millis(s.clock()))
}

// endMeasure says that nobody computes any more, also when the program is being stopped.
func (s *Store) endMeasure(ctx context.Context, text string, args ...any) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	return s.db.Soft(ctx, "store the registry's size", func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, text, args...)
		return err
	})
}

// addUp walks the blobs in batches, each added up by the database.
func (s *Store) addUp(ctx context.Context) (total int64, err error) {
	for after, n := int64(0), int64(measureBatch); n == measureBatch; {
		var sum int64
		err := s.db.QueryRow(ctx, `SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT), COALESCE(MAX(id), 0) FROM (
			SELECT b.id, b.size FROM blob b
			WHERE b.id > $1 AND EXISTS (SELECT 1 FROM blob_object o WHERE o.blob_id = b.id AND o.state = 1)
			ORDER BY b.id LIMIT $2) AS batch`, after, measureBatch).Scan(&n, &sum, &after)
		if err != nil {
			return 0, fmt.Errorf("add up the blobs: %w", err)
		}
		total += sum
		if err := s.endMeasure(ctx, `UPDATE registry_size SET running_ms = $1 WHERE id = 1 AND running_ms IS NOT NULL`, db.Millis(s.clock())); err != nil {
			return 0, err
		}
	}
	return total, nil
}
