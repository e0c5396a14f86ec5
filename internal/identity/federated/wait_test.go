package federated

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/identity/federated/issuertest"
)

// timeout is a client's in these tests: an issuer that hangs is given up after it.
const timeout = 15 * time.Second

// line carries requests to issuers without a network, so that time can be a synctest bubble's. An issuer hangs until its
// client gives up.
type line struct {
	issuers  map[string]*issuertest.Issuer
	mu       sync.Mutex
	hanging  map[string]bool
	requests atomic.Int64 // that hung
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	hangs := l.hanging[r.URL.Host]
	l.mu.Unlock()
	if hangs {
		l.requests.Add(1)
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return l.issuers[r.URL.Host].Answer(r), nil
}

func (l *line) hang(host string, hangs bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hanging[host] = hangs
}

// waiting is a verifier in a bubble, with the issuers "calm" and "slow".
type waiting struct {
	*Verifier
	line  *line
	rules []identity.TrustRule
}

func newWaiting(t *testing.T) *waiting {
	t.Helper()
	w := &waiting{line: &line{issuers: map[string]*issuertest.Issuer{}, hanging: map[string]bool{}}}
	for _, host := range []string{"calm", "slow"} {
		w.line.issuers[host] = issuertest.New(t, "https://"+host)
		w.rules = append(w.rules, identity.TrustRule{Issuer: "https://" + host, Subject: subject})
	}
	w.Verifier = New(Options{Client: &http.Client{Transport: w.line, Timeout: timeout}, Audiences: []string{audience}, Clock: time.Now})
	return w
}

func (w *waiting) token(t *testing.T, host string) string {
	t.Helper()
	now := time.Now()
	return w.line.issuers[host].Sign(t, map[string]any{
		"iss": "https://" + host, "sub": subject, "aud": audience, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	})
}

// took verifies a token and says how long that took and whether it was accepted.
func (w *waiting) took(ctx context.Context, token string) (time.Duration, bool) {
	begin := time.Now()
	_, err := w.Verify(ctx, token, w.rules)
	return time.Since(begin), err == nil
}

func TestWhoNamesAnIssuerThatHangsWaitsForOneCallAndNotToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiting(t)
		w.line.hang("slow", true)
		token := w.token(t, "slow")
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				if took, ok := w.took(t.Context(), token); ok || took != waitFirst {
					t.Errorf("accepted: %v, after %s; want a refusal after %s", ok, took, waitFirst)
				}
			})
		}
		time.Sleep(time.Second)
		if took, ok := w.took(t.Context(), w.token(t, "calm")); !ok || took != 0 {
			t.Errorf("another issuer's token: accepted %v, after %s", ok, took)
		}
		all.Wait()
		if took, ok := w.took(t.Context(), token); ok || took != 0 {
			t.Errorf("who comes late: accepted %v, after %s; want a refusal at once", ok, took)
		}
		if n := w.line.requests.Load(); n != 1 {
			t.Errorf("the issuer was called %d times", n)
		}
		time.Sleep(timeout - waitFirst + time.Second) // the call has been given up
		if took, ok := w.took(t.Context(), token); ok || took != 0 || w.line.requests.Load() != 1 {
			t.Errorf("right after the failure: accepted %v, after %s, %d calls", ok, took, w.line.requests.Load())
		}
		w.line.hang("slow", false)
		time.Sleep(readGap)
		if _, ok := w.took(t.Context(), token); !ok {
			t.Error("an issuer that answers again is not believed")
		}
	})
}

func TestWhoHangsUpWaitsNoMoreAndDoesNotEndTheCallForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiting(t)
		w.line.hang("slow", true)
		token := w.token(t, "slow")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if took, ok := w.took(ctx, token); ok || took != time.Second {
			t.Errorf("accepted: %v, after %s", ok, took)
		}
		if took, _ := w.took(t.Context(), token); took != waitFirst-time.Second {
			t.Errorf("the next one waited %s", took)
		}
		if n := w.line.requests.Load(); n != 1 {
			t.Errorf("the issuer was called %d times", n)
		}
		time.Sleep(timeout) // nothing of it is left when the bubble ends
	})
}

func TestAnIssuerThatHangsWhileItsKeysAreUsableDelaysLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiting(t)
		w.took(t.Context(), w.token(t, "slow"))
		w.line.hang("slow", true)
		time.Sleep(keysAge)
		token := w.token(t, "slow")
		for _, want := range []time.Duration{waitUsable, 0, 0} {
			if took, ok := w.took(t.Context(), token); !ok || took != want {
				t.Errorf("accepted: %v, after %s; want it after %s", ok, took, want)
			}
		}
		if n := w.line.requests.Load(); n != 1 {
			t.Errorf("the issuer was called %d times", n)
		}
		time.Sleep(timeout)
	})
}

// TestAFloodOfUnknownKeysNeitherHammersTheIssuerNorDelaysItsTokens floods for ten minutes with what an attacker can make
// who knows a rule: claims that are right under a signature that is not.
func TestAFloodOfUnknownKeysNeitherHammersTheIssuerNorDelaysItsTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiting(t)
		thief := issuertest.New(t, "https://slow")
		thief.Rotate(t)
		now := time.Now()
		forged := thief.Sign(t, map[string]any{"iss": "https://slow", "sub": subject, "aud": audience, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()})
		good := w.token(t, "slow")
		const flood, every = 10 * time.Minute, 100 * time.Millisecond
		for range flood / every {
			if _, ok := w.took(t.Context(), forged); ok {
				t.Fatal("a forged token was accepted")
			}
			if took, ok := w.took(t.Context(), good); !ok || took != 0 {
				t.Fatalf("a good token among forged ones: accepted %v, after %s", ok, took)
			}
			time.Sleep(every)
		}
		if n, most := w.line.issuers["slow"].Requests(), 2*int(flood/readGap+1); n > most {
			t.Errorf("the issuer was asked %d times, allowed are %d", n, most)
		}
		w.line.issuers["slow"].Rotate(t)
		w.line.issuers["slow"].Rotate(t) // the key that the thief claims to be was never published
		time.Sleep(readGap)
		if _, ok := w.took(t.Context(), w.token(t, "slow")); !ok {
			t.Error("the issuer's new key is not known a gap after it was published")
		}
	})
}
