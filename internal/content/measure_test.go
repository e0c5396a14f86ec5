package content_test

import (
	"context"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/db"
)

// TestTheSizeOfTheRegistry has more blobs than one statement adds up, one of which has two objects and one none.
func TestTheSizeOfTheRegistry(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		s := e.store()
		ctx := t.Context()
		want := func(what string, m content.Measurement) {
			t.Helper()
			got, err := s.Measured(ctx)
			if err != nil || got != m {
				t.Errorf("%s: %+v %v, want %+v", what, got, err, m)
			}
		}
		want("before the first time", content.Measurement{})
		const blobs = content.MeasureBatch + 5
		err := e.db.Soft(ctx, "test", func(ctx context.Context, tx db.Tx) error {
			for _, text := range []string{
				`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
					INSERT INTO blob (digest, size, created_ms) SELECT CAST(CAST(i AS TEXT) AS ` + bytesType(tx) + `), 10, 0 FROM n`,
				`INSERT INTO blob_object (blob_id, location_id, path, state, since_ms)
					SELECT id, (SELECT MIN(id) FROM storage_location), 'p' || CAST(id AS TEXT), 1, 0 FROM blob WHERE id <> $1`,
				`INSERT INTO blob_object (blob_id, location_id, path, state, since_ms)
					SELECT id, (SELECT MIN(id) FROM storage_location), 'second', 1, 0 FROM blob WHERE id = $1 - 1`,
			} {
				if _, err := tx.Exec(ctx, text, blobs); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, first := range []bool{true, false} {
			if queued, err := s.QueueMeasure(ctx); err != nil || queued != first {
				t.Errorf("asked %d times: %v %v", i+1, queued, err)
			}
		}
		want("asked for", content.Measurement{Queued: true})
		if err := s.MeasureIfAsked(ctx); err != nil {
			t.Fatal(err)
		}
		size := int64(blobs-1) * 10
		at := e.clock.now().Truncate(time.Millisecond).UTC()
		want("computed", content.Measurement{Bytes: size, At: at})
		if err := s.MeasureIfAsked(ctx); err != nil {
			t.Fatal(err)
		}
		lost := e.clock.now()
		if _, err := e.db.Exec(ctx, `UPDATE registry_size SET running_ms = $1`, db.Millis(lost)); err != nil {
			t.Fatal(err)
		}
		want("by a process that dies", content.Measurement{Bytes: size, At: at, Running: true})
		if queued, err := s.QueueMeasure(ctx); err != nil || queued {
			t.Errorf("asked while it runs: %v %v", queued, err)
		}
		e.clock.forward(11 * time.Minute)
		if err := s.MeasureIfAsked(ctx); err != nil {
			t.Fatal(err)
		}
		want("computed again after a silence", content.Measurement{Bytes: size, At: e.clock.now().Truncate(time.Millisecond).UTC()})
	})
}

// bytesType is how a text becomes a digest column's value.
func bytesType(tx db.Tx) string {
	if tx.Dialect() == db.PostgreSQL {
		return "BYTEA"
	}
	return "BLOB"
}
