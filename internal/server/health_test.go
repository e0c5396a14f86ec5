package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// checked is the handler of a registry with one check for all endpoints.
func checked(t *testing.T, run func(context.Context) error) http.Handler {
	t.Helper()
	o := options(http.NotFound, io.Discard)
	o.Checks = []Check{{Name: "storage", Instance: true, EndToEnd: true, Run: run}}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s.Handler()
}

func health(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func wantHealth(t *testing.T, w *httptest.ResponseRecorder, status int, age string) {
	t.Helper()
	if w.Code != status || w.Header().Get("Age") != age {
		t.Errorf("%d, Age %q, expected %d and %q: %s", w.Code, w.Header().Get("Age"), status, age, w.Body)
	}
}

// TestAFloodOfHealthRequestsRunsEachCheckOnce asks a thousand times at once, on every path, and again while the result is
// young.
func TestAFloodOfHealthRequestsRunsEachCheckOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		var unwell atomic.Bool
		h := checked(t, func(context.Context) error {
			runs.Add(1)
			time.Sleep(time.Second)
			if unwell.Load() {
				return errors.New("full")
			}
			return nil
		})
		var group sync.WaitGroup
		for n := range 1000 {
			group.Go(func() {
				path := []string{"/health", "/status", "/health/endtoend", "/health/instance"}[n%4]
				wantHealth(t, health(h, path), 200, "0")
			})
		}
		group.Wait()
		unwell.Store(true)
		time.Sleep(probeReuse - time.Millisecond)
		wantHealth(t, health(h, "/status"), 200, "2")
		if n := runs.Load(); n != 1 {
			t.Errorf("%d runs", n)
		}
		time.Sleep(time.Millisecond)
		wantHealth(t, health(h, "/status"), 503, "0")
		unwell.Store(false)
		time.Sleep(time.Second)
		wantHealth(t, health(h, "/health"), 503, "1")
		time.Sleep(probeReuse)
		wantHealth(t, health(h, "/health"), 200, "0")
		if n := runs.Load(); n != 3 {
			t.Errorf("%d runs", n)
		}
	})
}

// TestACheckThatHangsHoldsOneGoroutine has one that does not even follow its context.
func TestACheckThatHangsHoldsOneGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		h := checked(t, func(context.Context) error { <-free; return nil })
		began, before := time.Now(), runtime.NumGoroutine()
		if w := health(h, "/status"); w.Code != 503 || !strings.Contains(w.Body.String(), `"storage":false`) || time.Since(began) != healthTimeout {
			t.Errorf("%d after %v: %s", w.Code, time.Since(began), w.Body)
		}
		began = time.Now()
		for range 100 {
			wantHealth(t, health(h, "/status"), 503, "0")
		}
		if took, more := time.Since(began), runtime.NumGoroutine()-before; took != 0 || more > 2 {
			t.Errorf("100 requests took %v and left %d goroutines", took, more)
		}
		close(free)
		synctest.Wait()
		wantHealth(t, health(h, "/status"), 200, "0")
	})
}

// TestAClientThatLeavesTakesNoCheckWithIt has the one whose request began a run go away.
func TestAClientThatLeavesTakesNoCheckWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := checked(t, func(ctx context.Context) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		ctx, leave := context.WithCancel(t.Context())
		go h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/status", nil))
		synctest.Wait()
		leave()
		wantHealth(t, health(h, "/status"), 200, "0")
	})
}
