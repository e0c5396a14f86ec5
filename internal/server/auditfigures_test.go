package server

import (
	"testing"

	"github.com/longshore-registry/longshore/internal/audit"
)

func TestTheHealthNoteComesWhenTheSpoolIsMoreThanHalfFull(t *testing.T) {
	for used, noted := range map[int64]bool{0: false, 512 << 20: false, 512<<20 + 1: true, 1 << 30: true} {
		note := spoolNote(func() audit.Stats { return audit.Stats{SpoolBytes: used, SpoolLimit: 1 << 30} })
		if (note != "") != noted {
			t.Errorf("%d bytes of 1 GiB: %q", used, note)
		}
	}
	if note := spoolNote(func() audit.Stats { return audit.Stats{} }); note != "" {
		t.Errorf("a log that records nothing: %q", note)
	}
}
