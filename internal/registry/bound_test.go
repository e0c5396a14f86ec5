package registry

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity/aged"
)

// TestEachMemoryTakesNoMoreThanItsShare fills the caches one by one with far more than they may hold, and weighs the
// heap: a weigher that says too little would let a cache outgrow its bound.
func TestEachMemoryTakesNoMoreThanItsShare(t *testing.T) {
	const total, asked = 18 << 20, 60_000
	for _, tt := range []struct {
		name  string
		share float64 // of total
		fill  func(m memory, n int)
	}{
		{"repositories", 2. / 18, func(m memory, n int) {
			name := fmt.Sprintf("team/service-%06d", n)
			keep(t, m.repositories, repositoryName{"organization", name}, Repository{Namespace: strings.Clone("organization"), Name: name, Description: strings.Repeat("d", n%200)})
		}},
		{"members", 2. / 18, func(m memory, n int) {
			keep(t, m.members, member{int64(n), digest.SHA256.Of(fmt.Append(nil, n))}, int64(n))
		}},
		{"manifests", 7. / 18, func(m memory, n int) {
			body := make([]byte, 400+n%2000)
			keep(t, m.manifests, digest.SHA256.Of(fmt.Append(nil, n)), Manifest{Bytes: body, MediaType: strings.Repeat("m", 60)})
		}},
		{"tags", 6. / 18, func(m memory, n int) {
			keep(t, m.tags, tagName{1, fmt.Sprintf("v1.%d.0-%s", n, strings.Repeat("x", n%100))}, tagged{manifestID: int64(n)})
		}},
		{"pages of tags", .75 / 18, func(m memory, n int) {
			if n > asked/20 {
				return
			}
			page := timedPage{TagPage: TagPage{JSON: strings.Repeat("x", 20_000), Last: "v"}, until: 1 << 60}
			_, err := m.pages.get(t.Context(), pageName{repositoryID: int64(n), limit: 100}, 1, func(context.Context) (timedPage, error) { return page, nil })
			if err != nil {
				t.Fatal(err)
			}
		}},
		{"places of pages", .25 / 18, func(m memory, n int) {
			m.pages.places.Keep(countedOffset{repositoryID: int64(n)}, place{int64(n), fmt.Sprintf("v1.%d.0-%s", n, strings.Repeat("x", n%100))})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMemory(dbtest.Open(t, dbtest.SQLite), total, time.Now)
			before := heap()
			for n := range asked {
				tt.fill(m, n)
			}
			took := heap() - before
			runtime.KeepAlive(m)
			if most := int64(1.3 * tt.share * total); took > most {
				t.Errorf("they take %d KiB, of %d", took>>10, most>>10)
			}
			t.Logf("%d KiB of %d", took>>10, int64(tt.share*total)>>10)
		})
	}
}

func keep[K comparable, V any](t *testing.T, c *aged.Cache[K, V], key K, v V) {
	t.Helper()
	if _, err := c.Get(t.Context(), key, func(context.Context) (V, error) { return v, nil }); err != nil {
		t.Fatal(err)
	}
}

// heap is what lives, in bytes.
func heap() int64 {
	for range 3 { // what finalizers and the caches' own buffers let go of takes a second look
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}
