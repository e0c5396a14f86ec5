package app

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// How much garbage may gather before the heap is collected. What lives is mostly what the read path remembers, a few
// megabytes at first and some thirty when all its caches are full; docs/performance.md has what a collection costs.
const (
	heapRoom  = 8 << 20
	gcAtMost  = 200 // per cent of what lives: heapRoom in a heap of 4 MiB
	gcAtLeast = 75  // per cent, so that a large heap is not collected all the time
	gcStep    = 10  // a change smaller than this is not worth stopping the program for
)

// When memory that nobody uses goes back to the system: a load has used some, and for a while there is none. The
// runtime alone takes minutes for it.
const (
	restEvery = 5 * time.Second
	restBelow = 1 << 20 // bytes allocated in that time at most: health checks and metrics go on
	restAfter = 8 << 20 // bytes allocated since memory was last given back at least
)

// heapRule gives the collector a room of its own instead of a share of what lives: a heap that holds five times as much
// then takes little more memory than what it holds.
type heapRule struct {
	percent int
	ended   atomic.Bool
}

// boundHeap adapts the collector to what lives after each collection, until the context ends.
func boundHeap(ctx context.Context) {
	r := &heapRule{percent: gcAtMost}
	debug.SetGCPercent(gcAtMost)
	context.AfterFunc(ctx, func() { r.ended.Store(true) })
	r.await()
	go func() {
		ticker := time.NewTicker(restEvery)
		defer ticker.Stop()
		var rest resting
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if rest.look(heapMetric("/gc/heap/allocs:bytes")) {
				debug.FreeOSMemory()
			}
		}
	}()
}

// resting notices the end of a load from the bytes that were ever allocated.
type resting struct {
	last, released uint64 // at the last look; when memory was last given back
}

// look is called every restEvery and reports whether to give memory back.
func (r *resting) look(allocated uint64) bool {
	quiet := allocated-r.last < restBelow
	r.last = allocated
	if !quiet || allocated-r.released < restAfter {
		return false
	}
	r.released = allocated
	return true
}

// await has adapt called after the next collection: it finds an object that nobody holds.
func (r *heapRule) await() {
	runtime.AddCleanup(new([16]byte), func(r *heapRule) { r.adapt() }, r)
}

func (r *heapRule) adapt() {
	if r.ended.Load() {
		return
	}
	if p := gcPercent(heapMetric("/gc/heap/live:bytes")); p < r.percent-gcStep || p > r.percent+gcStep {
		r.percent = p
		debug.SetGCPercent(p)
	}
	r.await()
}

// gcPercent is GOGC for a heap in which so many bytes live.
func gcPercent(live uint64) int {
	return int(min(gcAtMost, max(gcAtLeast, heapRoom*100/max(live, 1))))
}

// heapMetric reads one number of the runtime's metrics.
func heapMetric(name string) uint64 {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
