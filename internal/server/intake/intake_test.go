package intake

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

const (
	testBudget = 64 << 20
	mega       = 1 << 20
)

// client is a body that comes in pieces, with a pause before each. The deadline of its request ends it.
type client struct {
	size, piece int
	pause       time.Duration
	fails       error // in place of the end
	check       func()

	sent  int
	until time.Time
}

func (c *client) within(d time.Duration) { c.until = time.Now().Add(d) }

func (c *client) Read(p []byte) (int, error) {
	if c.check != nil {
		c.check()
	}
	left := time.Until(c.until)
	if !c.until.IsZero() && c.pause > left {
		time.Sleep(left)
		return 0, os.ErrDeadlineExceeded
	}
	time.Sleep(c.pause)
	if c.sent == c.size {
		if c.fails != nil {
			return 0, c.fails
		}
		return 0, io.EOF
	}
	n := min(len(p), c.piece, c.size-c.sent)
	for i := range n {
		p[i] = byte((c.sent + i) % 251)
	}
	c.sent += n
	return n, nil
}

func body(account string, size int) Body {
	return Body{Name: "manifest", Account: account, Announced: int64(size), Limit: 4 * mega}
}

// holding reads a body that stalls until the test ends and keeps what it took meanwhile.
func holding(t *testing.T, b *Budget, account string, peer string, sent int) (*Hold, error) {
	t.Helper()
	h := b.Request(netip.MustParseAddr(peer), nil)
	var err error
	done := make(chan struct{})
	c := &client{size: sent, piece: mega, fails: io.ErrUnexpectedEOF}
	var once sync.Once
	c.check = func() {
		if c.sent == sent {
			once.Do(func() { close(done) })
			<-t.Context().Done()
		}
	}
	go func() {
		_, readErr := h.Read(context.WithoutCancel(t.Context()), c, body(account, 4*mega))
		once.Do(func() { err = readErr; close(done) })
	}()
	<-done
	return h, err
}

func TestReadGivesTheBytes(t *testing.T) {
	for _, size := range []int{0, 1, SmallBody - 1, SmallBody, SmallBody + 1, 100_000, mega, 4 * mega} {
		for _, announced := range []int{size, -1} {
			synctest.Test(t, func(t *testing.T) {
				b := New(testBudget)
				h := b.Request(netip.MustParseAddr("192.0.2.1"), nil)
				c := &client{size: size, piece: 1500}
				got, err := h.Read(t.Context(), c, body("alice", announced))
				if err != nil || len(got) != size {
					t.Fatalf("%d bytes, announced %d: read %d, %v", size, announced, len(got), err)
				}
				for i := range got {
					if got[i] != byte(i%251) {
						t.Fatalf("byte %d of %d is wrong", i, size)
					}
				}
				if held := b.Held(); held != int64(cap(got)) {
					t.Errorf("%d bytes are counted for a buffer of %d", held, cap(got))
				}
				h.Release()
				h.Release()
				wantNothing(t, b)
			})
		}
	}
}

func wantNothing(t *testing.T, b *Budget) {
	t.Helper()
	if b.Held() != 0 || len(b.small.payers)+len(b.large.payers) != 0 || len(b.waiting) != 0 || len(b.large.all.in)+len(b.small.all.in) != 0 {
		t.Errorf("left behind: %d bytes, %d and %d payers, %d waiting", b.Held(), len(b.small.payers), len(b.large.payers), len(b.waiting))
	}
}

func TestRefusals(t *testing.T) {
	for _, row := range []struct {
		name   string
		client *client
		body   Body
		kind   problem.Kind
		text   string
		slow   bool
		reads  int
	}{
		{"an announced length above the limit is refused unread", &client{size: 11, piece: 1}, Body{Name: "form", Announced: 11, Limit: 10}, problem.TooLarge, "the form is larger than 10 bytes, the most that is allowed", false, 0},
		{"a length above the limit is noticed one byte later", &client{size: 100, piece: 1}, Body{Name: "form", Announced: -1, Limit: 10}, problem.TooLarge, "the form is larger than 10 bytes, the most that is allowed", false, 11},
		{"a body that breaks off", &client{size: 3, piece: 1, fails: io.ErrUnexpectedEOF}, Body{Name: "form", Announced: 5, Limit: 10}, problem.Invalid, "the form could not be read to its end", false, 3},
		{"a body that comes too slowly", &client{size: 10, piece: 1, pause: 4 * time.Second}, Body{Name: "form", Announced: 10, Limit: 10}, problem.Invalid, "the form was not there within 30 seconds", true, 7},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := New(testBudget)
				h := b.Request(netip.Addr{}, row.client.within)
				began := time.Now()
				_, err := h.Read(t.Context(), row.client, row.body)
				e := problem.From(err)
				if err == nil || e.Kind != row.kind || e.Message != row.text || errors.Is(err, ErrSlow) != row.slow || row.client.sent != row.reads {
					t.Errorf("%v after %d bytes", err, row.client.sent)
				}
				if !h.BodyRefused() || time.Since(began) > BodyTime {
					t.Errorf("refused %v after %s", h.BodyRefused(), time.Since(began))
				}
				wantNothing(t, b)
			})
		})
	}
}

// TestOneCannotTakeAll: what one account, or one client, stalls with is bounded, and others go on at once.
func TestOneCannotTakeAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(testBudget)
		var refused int
		for range 60 {
			h, err := holding(t, b, "mallory", "192.0.2.1", 4*mega-1)
			defer h.Release()
			if problem.Is(err, problem.TooMany) {
				refused++
			}
		}
		if held := b.Held(); held > testBudget/4+mega {
			t.Errorf("one account holds %d bytes", held)
		}
		if refused == 0 || b.Refused(Full) != uint64(refused) {
			t.Errorf("%d were refused, %d are counted", refused, b.Refused(Full))
		}
		for range 10 {
			h := b.Request(netip.MustParseAddr("192.0.2.1"), nil)
			began := time.Now()
			if _, err := h.Read(t.Context(), &client{size: 4 * mega, piece: mega}, body("alice", 4*mega)); err != nil || time.Since(began) != 0 {
				t.Errorf("another account: %v after %s", err, time.Since(began))
			}
			h.Release()
		}
	})
}

func TestOneHalfIsForWhoeverHasAnAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(testBudget)
		for i := range 40 {
			h, _ := holding(t, b, "", netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}).String(), 3*mega)
			defer h.Release()
		}
		if got := b.large.all.used; got > b.large.all.limit/2 {
			t.Errorf("anonymous clients hold %d of %d bytes", got, b.large.all.limit)
		}
		h := b.Request(netip.Addr{}, nil)
		defer h.Release()
		if _, err := h.Read(t.Context(), &client{size: 4 * mega, piece: mega}, body("alice", 4*mega)); err != nil {
			t.Error(err)
		}
	})
}

func TestAnIPv6NetworkIsOneClient(t *testing.T) {
	b := New(testBudget)
	of := func(s string) payer { return b.Request(netip.MustParseAddr(s), nil).payer("") }
	if of("2001:db8::1") != of("2001:db8::ffff:2") || of("2001:db8::1") == of("2001:db8:0:1::1") || of("192.0.2.1") == of("192.0.2.2") {
		t.Error("clients are told apart by something else than their address, or the /64 of it")
	}
	if of("192.0.2.1") == b.Request(netip.Addr{}, nil).payer("192.0.2.1/32") {
		t.Error("an account is taken for an address")
	}
}

// TestSmallBodiesGoOn: however full the large area is, by however many, a small body is read at once.
func TestSmallBodiesGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(testBudget)
		for i := range 100 {
			h, _ := holding(t, b, string(rune('a'+i%20)), "192.0.2.1", 4*mega-1)
			defer h.Release()
		}
		if free := b.large.all.limit - b.large.all.used; free > MaxBody+4*mega {
			t.Fatalf("%d bytes of the large area are free: the test shows nothing", free)
		}
		for range 200 {
			h := b.Request(netip.Addr{}, nil)
			defer h.Release()
			began := time.Now()
			if _, err := h.Read(t.Context(), &client{size: SmallBody, piece: 1500}, body("alice", SmallBody)); err != nil || time.Since(began) != 0 {
				t.Fatalf("%v after %s", err, time.Since(began))
			}
		}
	})
}

// TestHonestBodiesPassOneAfterTheOther: bodies that together are far more than there is room for do not refuse each
// other by all being half there.
func TestHonestBodiesPassOneAfterTheOther(t *testing.T) {
	for _, accounts := range []int{1, 40} {
		synctest.Test(t, func(t *testing.T) {
			b := New(testBudget)
			var all sync.WaitGroup
			for i := range 40 {
				all.Go(func() {
					h := b.Request(netip.Addr{}, nil)
					defer h.Release()
					c := &client{size: 4 * mega, piece: 64 << 10, pause: time.Millisecond / 2}
					if _, err := h.Read(t.Context(), c, body(string(rune('a'+i%accounts)), 4*mega)); err != nil {
						t.Errorf("body %d of %d accounts: %v", i, accounts, err)
					}
				})
			}
			all.Wait()
			wantNothing(t, b)
		})
	}
}

// TestAnyInterleavingEnds mixes honest, slow, stalled, broken and panicking requests, and answers that are built. At every
// step no scope is above its limit and the request that came first is not waiting; everything ends in time and returns
// what it took.
func TestAnyInterleavingEnds(t *testing.T) {
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			b := New([]int64{MinBudget, 24 << 20, testBudget}[seed%3])
			var all sync.WaitGroup
			for range 120 {
				start, kind, pieces := time.Duration(random.IntN(10_000))*time.Millisecond, random.IntN(6), random.IntN(60_000)+8000
				size, pause := random.IntN(4*mega), time.Duration(random.IntN(3000))*time.Microsecond
				account := []string{"", "alice", "bob", "carol", "dave", "eve"}[random.IntN(6)]
				peer := netip.AddrFrom4([4]byte{192, 0, 2, byte(random.IntN(5))})
				all.Go(func() {
					time.Sleep(start)
					c := &client{size: size, piece: pieces, pause: pause, check: func() { check(t, b) }}
					h := b.Request(peer, c.within)
					began := time.Now()
					defer func() {
						_ = recover()
						h.Release()
						check(t, b)
						if took := time.Since(began); took > BodyTime+Patience {
							t.Errorf("seed %d: a request took %s", seed, took)
						}
					}()
					switch kind {
					case 0:
						c.pause = time.Hour // never comes
					case 1:
						c.fails = io.ErrUnexpectedEOF
					case 2:
						read(t, h, c, account, -1)
						panic("a handler's defect")
					case 3:
						if h.Build(t.Context()) == nil {
							time.Sleep(pause)
							_ = h.Built(account, int64(size))
							time.Sleep(pause * 1000)
						}
						return
					}
					read(t, h, c, account, size)
					time.Sleep(pause)
				})
			}
			all.Wait()
			wantNothing(t, b)
			if b.Refused(Full) == 0 || b.Refused(Slow) == 0 {
				t.Errorf("seed %d: nobody found the budget full (%d) or was slow (%d): the test shows nothing", seed, b.Refused(Full), b.Refused(Slow))
			}
		})
	}
}

func read(t *testing.T, h *Hold, c *client, account string, announced int) {
	t.Helper()
	got, err := h.Read(t.Context(), c, body(account, announced))
	if e := problem.From(err); err != nil && e.Kind != problem.TooMany && e.Kind != problem.Invalid {
		t.Error(err)
	}
	if err == nil && len(got) != c.size {
		t.Errorf("%d of %d bytes", len(got), c.size)
	}
}

// check looks at the promises of the package comment.
func check(t *testing.T, b *Budget) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range []*area{b.small, b.large} {
		scopes := []*scope{a.all, a.anonymous}
		var sum int64
		for _, s := range a.payers {
			scopes = append(scopes, s)
			sum += s.used
		}
		for _, s := range scopes {
			if s.used > s.limit || s.used < 0 {
				t.Errorf("%d of %d bytes are used", s.used, s.limit)
			}
		}
		if sum > a.all.used {
			t.Errorf("payers have %d bytes of the area's %d", sum, a.all.used)
		}
	}
	if len(b.large.all.in) > 0 && slices.ContainsFunc(b.waiting, func(w *waiter) bool { return w.part == &b.large.all.in[0].large }) {
		t.Error("the request that came first is waiting")
	}
}

func TestAWaitEndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(testBudget)
		for range 10 {
			h, _ := holding(t, b, "alice", "192.0.2.1", 4*mega-1)
			defer h.Release()
		}
		refused := b.Refused(Full)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		h := b.Request(netip.Addr{}, nil)
		began := time.Now()
		_, err := h.Read(ctx, bytes.NewReader(make([]byte, 4*mega)), body("alice", 4*mega))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second || b.Refused(Full) != refused {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func TestAnAnswerIsChargedByItsSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(testBudget)
		h := b.Request(netip.MustParseAddr("192.0.2.1"), nil)
		for _, size := range []int64{0, 100, SmallBody + 1, MaxBody} {
			if err := h.Build(t.Context()); err != nil || b.Held() != MaxBody {
				t.Fatalf("%d bytes held: %v", b.Held(), err)
			}
			if err := h.Built("", size); err != nil || b.Held() != size {
				t.Fatalf("%d bytes held for %d: %v", b.Held(), size, err)
			}
			h.Release()
		}
		for range 3 {
			h := b.Request(netip.MustParseAddr("192.0.2.1"), nil)
			defer h.Release()
			if err := h.Build(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := h.Built("", MaxBody); (err != nil) != (b.Held() != MaxBody) && !problem.Is(err, problem.TooMany) {
				t.Errorf("%v with %d bytes held", err, b.Held())
			}
		}
		if b.Held() != MaxBody {
			t.Errorf("one client's answers hold %d bytes", b.Held())
		}
		for _, peer := range []string{"192.0.2.1", "192.0.2.2"} { // a small one to the same, any to another
			h := b.Request(netip.MustParseAddr(peer), nil)
			defer h.Release()
			size := int64(SmallBody)
			if peer == "192.0.2.2" {
				size = MaxBody
			}
			if err := errors.Join(h.Build(t.Context()), h.Built("", size)); err != nil {
				t.Errorf("%d bytes for %s: %v", size, peer, err)
			}
		}
	})
}

func TestANilHoldReads(t *testing.T) {
	var h *Hold
	got, err := h.Read(t.Context(), &client{size: 100_000, piece: 999}, body("", -1))
	if err != nil || len(got) != 100_000 || h.BodyRefused() || h.Build(t.Context()) != nil || h.Built("", 1) != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := h.Read(t.Context(), &client{size: 11, piece: 1}, Body{Announced: -1, Limit: 10}); !problem.Is(err, problem.TooLarge) {
		t.Error(err)
	}
	h.Release()
}

func TestTheBudgetFitsTheMemory(t *testing.T) {
	const files = "/sys/fs/cgroup/"
	for name, row := range map[string]struct {
		limit int64
		files map[string]string
		want  int64
	}{
		"no limit":                  {1 << 62, nil, 64 << 20},
		"a group without one":       {1 << 62, map[string]string{files + "memory.max": "max\n"}, 64 << 20},
		"a group of 256 MiB":        {1 << 62, map[string]string{files + "memory.max": "268435456\n"}, 32 << 20},
		"an old group of 256 MiB":   {1 << 62, map[string]string{files + "memory/memory.limit_in_bytes": "268435456\n"}, 32 << 20},
		"GOMEMLIMIT below":          {192 << 20, map[string]string{files + "memory.max": "268435456\n"}, 24 << 20},
		"a group that is too small": {1 << 62, map[string]string{files + "memory.max": "1048576\n"}, 16 << 20},
	} {
		got := suggest(row.limit, func(file string) ([]byte, error) {
			if text, ok := row.files[file]; ok {
				return []byte(text), nil
			}
			return nil, os.ErrNotExist
		})
		if got != row.want {
			t.Errorf("%s: %d, want %d", name, got, row.want)
		}
	}
}

// TestWhatManySendIsThereOnce: one copy serves all who send a digest at once, whoever leaves first; another digest of
// the same client finds only its share, and that of another client its own.
func TestWhatManySendIsThereOnce(t *testing.T) {
	b := New(testBudget)
	of := func(text byte) (digest.Digest, []byte) {
		bytes := bytes.Repeat([]byte{text}, 4*mega)
		return digest.SHA256.Of(bytes), bytes
	}
	request := func() *Hold { return b.Request(netip.MustParseAddr("192.0.2.1"), nil) }
	first, original := of('a')
	holds := make([]*Hold, 1000)
	for i := range holds {
		holds[i] = request()
		copied := original
		if i == 1 {
			copied = bytes.Clone(original)
		}
		got, err := holds[i].Send("alice", first, copied)
		if err != nil || &got[0] != &original[0] || b.Held() != 4*mega {
			t.Fatalf("sender %d: %v; %d bytes are held", i, err, b.Held())
		}
	}
	refused := 0
	for text := byte('b'); text < 'h'; text++ {
		other, bytes := of(text)
		h := request()
		if _, err := h.Send("alice", other, bytes); err != nil {
			if !problem.Is(err, problem.TooMany) || problem.From(err).RetryAfter == 0 {
				t.Error(err)
			}
			refused++
		}
		defer h.Release()
	}
	if refused == 0 || b.Refused(Full) != uint64(refused) || b.Held() > testBudget/4 {
		t.Errorf("%d of six more were refused, %d are counted; %d bytes are held", refused, b.Refused(Full), b.Held())
	}
	other, bytes := of('z')
	h := request()
	if _, err := h.Send("bob", other, bytes); err != nil {
		t.Errorf("somebody else's: %v", err)
	}
	h.Release()
	for i, h := range holds {
		if b.sending[first] == nil {
			t.Fatalf("the copy is not counted any more while %d send it", len(holds)-i)
		}
		h.Release()
		h.Release()
	}
	if b.sending[first] != nil {
		t.Error("nobody sends it any more, and it is counted")
	}
}

func TestNothingIsLeftOfWhatWasSent(t *testing.T) {
	b := New(testBudget)
	h := b.Request(netip.Addr{}, nil)
	if _, err := h.Send("", digest.SHA256.Of(nil), make([]byte, mega)); err != nil {
		t.Fatal(err)
	}
	h.Release()
	wantNothing(t, b)
	if len(b.sending) != 0 {
		t.Errorf("%d copies are left", len(b.sending))
	}
}
