package db

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestASilentServerIsWaitedForShortly(t *testing.T) {
	over, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	gone, leave := context.WithCancel(t.Context())
	leave()
	s := silence{probe: time.Second}
	for _, step := range []struct {
		name         string
		ctx, limited context.Context
		err          error
		want         time.Duration
	}{
		{"an answer", t.Context(), t.Context(), nil, 6 * time.Second},
		{"a statement that the server refused", t.Context(), t.Context(), errors.New("refused"), 6 * time.Second},
		{"a client that went away", gone, over, context.Canceled, 6 * time.Second},
		{"no answer in time", t.Context(), over, context.DeadlineExceeded, time.Second},
		{"a client that went away meanwhile", gone, over, context.Canceled, time.Second},
		{"an answer again", t.Context(), t.Context(), nil, 6 * time.Second},
	} {
		s.note(step.ctx, step.limited, step.err)
		if got := s.limit(6 * time.Second); got != step.want {
			t.Errorf("after %s: %s, want %s", step.name, got, step.want)
		}
	}
	if got := s.limit(time.Millisecond); got != time.Millisecond {
		t.Errorf("a short wait became %s", got)
	}
}
