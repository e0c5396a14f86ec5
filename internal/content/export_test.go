package content

import (
	"context"
	"time"

	"github.com/longshore-registry/longshore/internal/digest"
)

// SetPatience shortens the time that a request waits for another one on the same upload.
func (s *Store) SetPatience(d time.Duration) { s.patience = d }

// The limits at which an upload is saved on the way.
const (
	CheckpointBytes = checkpointBytes
	CheckpointAge   = checkpointAge
	UploadLifetime  = uploadLifetime
	PutOffTime      = putOffTime
	ReviveAge       = reviveAge
)

// FinishTwice commits a finished upload two times.
func (s *Store) FinishTwice(ctx context.Context, o Owner, id string, c Chunk, want digest.Digest) (first, second Blob, err error) {
	h, err := s.published(ctx, o, id, c, want)
	if err != nil {
		return first, second, err
	}
	defer h.letGo(ctx)
	if first, err = h.commit(ctx, want); err == nil {
		second, err = h.commit(ctx, want)
	}
	return first, second, err
}

// FinishWith runs a function between the publication and the commit.
func (s *Store) FinishWith(ctx context.Context, o Owner, id string, c Chunk, want digest.Digest, between func()) (Blob, error) {
	h, err := s.published(ctx, o, id, c, want)
	if err != nil {
		return Blob{}, err
	}
	defer h.letGo(ctx)
	between()
	b, err := h.commit(ctx, want)
	return b, h.settle(ctx, err)
}

// PublishOnly does what Finish does before the commit, then stops as a process that dies does.
func (s *Store) PublishOnly(ctx context.Context, o Owner, id string, c Chunk, want digest.Digest) error {
	_, err := s.published(ctx, o, id, c, want)
	return err
}

func (s *Store) published(ctx context.Context, o Owner, id string, c Chunk, want digest.Digest) (*held, error) {
	h, _, err := s.claim(ctx, o, id, c)
	if err != nil {
		return nil, err
	}
	w, err := h.receive(ctx, c)
	if err == nil && w != nil {
		defer w.Close()
		err = h.save(ctx, w, complete)
	}
	if err == nil {
		err = h.publish(ctx, want)
	}
	return h, err
}

// MeasureBatch is how many blobs one statement adds up.
const MeasureBatch = measureBatch

// MeasureIfAsked does once what RunMeasure does whenever somebody asks.
func (s *Store) MeasureIfAsked(ctx context.Context) error { return s.measureIfAsked(ctx) }
