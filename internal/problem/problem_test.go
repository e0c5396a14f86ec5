package problem

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestFrom(t *testing.T) {
	known := New(NotFound, "blob %s is unknown", "x").WithCode("BLOB_UNKNOWN")
	for _, c := range []struct {
		name string
		err  error
		kind Kind
		text string
	}{
		{"a problem is found through wrapping", fmt.Errorf("serving: %w", known), NotFound, "blob x is unknown"},
		{"an unforeseen error tells nothing", errors.New("dial tcp 10.0.0.1: secret"), Internal, "internal error"},
		{"a deadline is somebody else's slowness", context.DeadlineExceeded, Unavailable, "the request was not finished in time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := From(c.err); got.Kind != c.kind || got.Message != c.text {
				t.Fatalf("From = %v %q", got.Kind, got.Message)
			}
		})
	}
	if From(nil) != nil {
		t.Error("From(nil) is not nil")
	}
	if !Is(fmt.Errorf("x: %w", known), NotFound) || !HasCode(known, "BLOB_UNKNOWN") || Is(nil, NotFound) {
		t.Error("Is or HasCode do not see through the chain")
	}
}
