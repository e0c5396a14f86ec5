package app

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestTheHeapMayGrowByARoomThatDependsLittleOnWhatLives(t *testing.T) {
	for _, tt := range []struct {
		live uint64
		want int
	}{{0, 200}, {1 << 20, 200}, {4 << 20, 200}, {8 << 20, 100}, {10 << 20, 80}, {16 << 20, 75}, {1 << 40, 75}} {
		if got := gcPercent(tt.live); got != tt.want {
			t.Errorf("with %d bytes alive: %d %%, want %d", tt.live, got, tt.want)
		}
	}
}

// TestTheCollectorFollowsTheHeap changes a setting of the whole process, as serve does.
func TestTheCollectorFollowsTheHeap(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	boundHeap(t.Context())
	held := make([]byte, 64<<20)
	deadline := time.Now().Add(time.Minute)
	for {
		runtime.GC()
		percent := debug.SetGCPercent(gcAtMost)
		debug.SetGCPercent(percent)
		if percent == gcAtLeast {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("64 MiB live, and the heap may still grow by %d %%", percent)
		}
		time.Sleep(time.Millisecond)
	}
	runtime.KeepAlive(held)
}

func TestMemoryIsGivenBackOnceAfterALoad(t *testing.T) {
	const mib = 1 << 20
	var r resting
	for i, look := range []struct {
		allocated uint64
		give      bool
		when      string
	}{
		{9 * mib, false, "while the program starts"},
		{9*mib + 1000, true, "after the start"},
		{9*mib + 2000, false, "once more, with nothing new"},
		{200 * mib, false, "under load"},
		{400 * mib, false, "under load"},
		{400*mib + 90_000, true, "after the load"},
		{400*mib + 180_000, false, "while only health checks come"},
		{404 * mib, false, "after a little work"},
		{404 * mib, false, "when little was used since"},
		{409 * mib, false, "after more of it"},
		{409 * mib, true, "when enough gathered"},
	} {
		if give := r.look(look.allocated); give != look.give {
			t.Errorf("look %d, %s: memory is given back: %v", i, look.when, give)
		}
	}
}
