package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

func pull(n int) Entry {
	return Entry{Kind: PullRepo, NamespaceID: 1, RepositoryID: 2, Metadata: []Field{Int("n", int64(n))}}
}

// pulled expects exactly the pulls from..to-1, each once and in order.
func pulled(t *testing.T, l *Log, from, to int) {
	t.Helper()
	var want []string
	for n := from; n < to; n++ {
		want = append(want, fmt.Sprintf(`{"n":%d}`, n))
	}
	slices.Reverse(want)
	var got []string
	for e, err := range l.All(t.Context(), ever(Query{NamespaceID: 1})) {
		check(t, err)
		got = append(got, string(e.Metadata))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPullsArriveInOrderWithoutBeingAskedFor(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := open(t, optionsFor(t, d, at("2026-11-22 10:00:00")))
		for n := range 3000 {
			check(t, l.Pulled(pull(n)))
			if n%1000 == 0 {
				time.Sleep(20 * time.Millisecond)
			}
		}
		eventually(t, "all pulls are stored", func() bool { return l.Stats().Stored == 3000 })
		pulled(t, l, 0, 3000)
		check(t, l.Close(t.Context()))
		if left, _ := os.ReadDir(l.options.Dir); len(left) > 0 || rowsOf(t, d, "audit_spool") != 0 {
			t.Errorf("after the end there are %v and %d positions", left, rowsOf(t, d, "audit_spool"))
		}
		if err := l.Pulled(pull(0)); !problem.Is(err, problem.Unavailable) {
			t.Errorf("a closed log took a pull: %v", err)
		}
	})
}

// TestABatchOverTheEndOfAMonth has pulls of two months, some of them late, in one batch: each lies in its month's table.
func TestABatchOverTheEndOfAMonth(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := optionsFor(t, d, at("2026-11-30 23:59:59"))
		o.storeEvery = time.Hour
		l := open(t, o)
		december := month(202612).start()
		for i, ms := range []int64{december - 2, december - 1, december, december - 1, december + 1, december - 3} {
			e := pull(i)
			e.At = db.Time(ms)
			check(t, l.Pulled(e))
		}
		check(t, l.Flush(t.Context()))
		for table, want := range map[month]int64{202611: 4, 202612: 2} {
			if n := rowsOf(t, d, table.table()); n != want {
				t.Errorf("%s has %d entries, expected %d", table.table(), n, want)
			}
		}
	})
}

func rowsOf(t *testing.T, d *db.DB, table string) (n int64) {
	t.Helper()
	check(t, d.QueryRow(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n))
	return n
}

// TestABatchIsStoredOnceWhereverItFails lets each moment of storing fail a few times, also that after the commit.
func TestABatchIsStoredOnceWhereverItFails(t *testing.T) {
	eachKind(t, func(t *testing.T, kind dbtest.Kind) {
		for _, moment := range []db.Moment{db.Begun, db.Ready, db.Committed} {
			t.Run(string(moment), func(t *testing.T) {
				var failures atomic.Int32
				d := watched(t, kind, func(transaction string, m db.Moment) bool {
					return transaction == "store pulls" && m == moment && failures.Add(1)%2 == 1
				})
				l := open(t, optionsFor(t, d, at("2026-11-22 10:00:00")))
				for n := range 4 * batchRows {
					check(t, l.Pulled(pull(n)))
				}
				eventually(t, "all pulls are stored", func() bool { return l.Flush(t.Context()) == nil })
				if failures.Load() < 4 {
					t.Errorf("it was stored with %d tries", failures.Load())
				}
				pulled(t, l, 0, 4*batchRows)
				countedAs(t, d)
			})
		}
	})
}

// TestPullsWaitForADatabaseThatIsAway fills the spool while nothing can be stored, both ways of what happens then, and
// has the database come back.
func TestPullsWaitForADatabaseThatIsAway(t *testing.T) {
	for _, drop := range []bool{false, true} {
		t.Run(fmt.Sprintf("drop=%v", drop), func(t *testing.T) {
			eachKind(t, func(t *testing.T, kind dbtest.Kind) {
				var away atomic.Bool
				d := watched(t, kind, func(transaction string, m db.Moment) bool { return transaction == "store pulls" && away.Load() })
				o := optionsFor(t, d, at("2026-11-22 10:00:00"))
				o.SpoolBytes, o.DropPulls = 64<<10, drop
				l := open(t, o)
				away.Store(true)
				taken := 0
				for l.Stats().Dropped+l.Stats().Refused < 20 && taken < 20_000 {
					err := l.Pulled(pull(taken))
					switch s := l.Stats(); {
					case err == nil && s.Dropped == 0:
						taken++
					case drop && err != nil || !drop && !refusal(err):
						t.Fatalf("a full spool answers %v", err)
					}
				}
				if s := l.Stats(); s.SpoolBytes > s.SpoolLimit+1024 || s.SpoolBytes < s.SpoolLimit/2 || int(s.Pulled) != taken || taken < 500 {
					t.Errorf("%+v after %d", s, taken)
				}
				away.Store(false)
				eventually(t, "all pulls are stored", func() bool { return int(l.Stats().Stored) == taken })
				check(t, l.Flush(t.Context()))
				check(t, l.Pulled(pull(taken))) // there is room again
				check(t, l.Flush(t.Context()))
				pulled(t, l, 0, taken+1)
			})
		})
	}
}

// refusal reports whether err tells a client to come back.
func refusal(err error) bool {
	var p *problem.Error
	return errors.As(err, &p) && p.Kind == problem.Unavailable && p.RetryAfter > 0
}

// TestTheNextProcessStoresWhatOneHasLeft ends logs while the database is away, and one without an end.
func TestTheNextProcessStoresWhatOneHasLeft(t *testing.T) {
	eachKind(t, func(t *testing.T, kind dbtest.Kind) {
		var away atomic.Bool
		d := watched(t, kind, func(transaction string, m db.Moment) bool { return transaction == "store pulls" && away.Load() })
		now := at("2026-11-22 10:00:00")
		o := optionsFor(t, d, now)
		away.Store(true)
		for round := range 3 {
			l := open(t, o)
			for n := range 700 {
				check(t, l.Pulled(pull(700*round+n)))
				now.add(time.Millisecond)
			}
			check(t, l.Close(t.Context()))
		}
		closed := open(t, o)
		check(t, errors.Join(closed.Close(t.Context()), closed.Close(t.Context())))
		away.Store(false)
		if err := closed.Flush(t.Context()); !problem.Is(err, problem.Unavailable) {
			t.Errorf("a closed log stores: %v", err)
		}
		if rowsIn(t, d, "1 = 1") != 0 {
			t.Fatal("pulls were stored in a database that was away")
		}
		l := open(t, o)
		check(t, l.Pulled(pull(2100)))
		eventually(t, "all pulls are stored", func() bool { return l.Stats().Stored == 2101 })
		pulled(t, l, 0, 2101)
		if left, _ := filepath.Glob(filepath.Join(o.Dir, "*", "*")); len(left) != 1 {
			t.Errorf("left: %v", left)
		}
	})
}

// TestWhatIsStoredIsNotStoredAgain has a process die after it stored everything, before it removed its spool.
func TestWhatIsStoredIsNotStoredAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := at("2026-11-22 10:00:00")
		o := optionsFor(t, d, now)
		l := open(t, o)
		for n := range 100 {
			check(t, l.Pulled(pull(n)))
		}
		check(t, l.Flush(t.Context()))
		now.add(time.Second)
		l.stop()
		l.done.Wait()
		check(t, errors.Join(l.pulls.own.Close(), l.pulls.own.Leave()))
		again := open(t, o)
		check(t, again.Pulled(pull(100)))
		check(t, again.Flush(t.Context()))
		if s := again.Stats(); s.Stored != 1 {
			t.Errorf("%d pulls were stored by the next process", s.Stored)
		}
		pulled(t, again, 0, 101)
	})
}

// TestASpoolThatComesBackAfterItsPositionWasForgottenIsNotStoredTwice has a copy of a spool's files from before, as
// after a restored backup.
func TestASpoolThatComesBackAfterItsPositionWasForgottenIsNotStoredTwice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := optionsFor(t, d, at("2026-11-22 10:00:00"))
		l := open(t, o)
		for n := range 100 {
			check(t, l.Pulled(pull(n)))
		}
		check(t, l.pulls.own.Write())
		copied := filepath.Join(t.TempDir(), "copy")
		check(t, os.CopyFS(copied, os.DirFS(o.Dir)))
		check(t, l.Close(t.Context()))
		o.Dir = copied
		again := open(t, o)
		eventually(t, "the copy is stored", func() bool { return again.Stats().Stored == 100 })
		pulled(t, again, 0, 100)
	})
}

// TestARealOutage cuts the network between the log and PostgreSQL.
func TestARealOutage(t *testing.T) {
	if !slices.Contains(dbtest.Kinds(), dbtest.PostgreSQL) {
		t.Skip("for PostgreSQL")
	}
	address, err := url.Parse(dbtest.URI(t, dbtest.PostgreSQL))
	check(t, err)
	line := newProxy(t, address)
	d, err := db.Open(t.Context(), dbtest.Options(line.uri))
	check(t, err)
	t.Cleanup(func() { _ = d.Close() })
	now := at("2026-11-22 10:00:00")
	l := open(t, optionsFor(t, d, now))
	n := 0
	for round := range 3 {
		for range 300 {
			check(t, l.Pulled(pull(n)))
			n++
		}
		if round == 1 {
			line.cut()
			check(t, l.Pulled(pull(n)))
			n++
			if err := l.Flush(t.Context()); !problem.Is(err, problem.Unavailable) {
				t.Errorf("stored over a line that is cut: %v", err)
			}
			now.add(time.Minute)
			if lag := l.Stats().Lag; lag != time.Minute {
				t.Errorf("the oldest pull waits for %v", lag)
			}
			line.mend()
		}
		eventually(t, "all pulls are stored", func() bool { return int(l.Stats().Stored) == n })
	}
	if s := l.Stats(); s.Lag != 0 {
		t.Errorf("%+v", s)
	}
	pulled(t, l, 0, n)
}

// proxy is a line to a server that can be cut.
type proxy struct {
	uri, target string
	mu          sync.Mutex
	broken      bool
	open        []net.Conn
}

func newProxy(t *testing.T, to *url.URL) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	through := *to
	through.Host = listener.Addr().String()
	p := &proxy{uri: through.String(), target: to.Host}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.connect(client)
		}
	}()
	return p
}

func (p *proxy) connect(client net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	server, err := net.Dial("tcp", p.target)
	if err != nil || p.broken {
		_ = client.Close()
		return
	}
	p.open = append(p.open, client, server)
	go func() { _, _ = io.Copy(client, server); _ = client.Close() }()
	go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = true
	for _, c := range p.open {
		_ = c.Close()
	}
	p.open = nil
}

func (p *proxy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = false
}

var benchEntry = Entry{Kind: PullRepo, NamespaceID: 1, RepositoryID: 2, PerformerID: 3, Metadata: []Field{
	Text("repo", "team/service"), Text("namespace", "acme"), Text("user-agent", "containerd/2.1.4"),
	Text("manifest_digest", "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
	Text("username", "acme+puller"), Bool("is_robot", true),
}}

// BenchmarkPulled is what a pull pays: the spool is emptied while the clock stands.
func BenchmarkPulled(b *testing.B) {
	o := optionsFor(b, dbtest.Open(b, dbtest.SQLite), at("2026-11-22 10:00:00"))
	o.SpoolBytes, o.storeEvery, o.gather, o.Clock = 1<<40, time.Hour, time.Hour, time.Now
	l := open(b, o)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%5000 == 0 {
			b.StopTimer()
			check(b, l.pulls.own.Write())
			b.StartTimer()
		}
		check(b, l.Pulled(benchEntry))
	}
	b.StopTimer()
	leaveUnstored(b, l)
}

// BenchmarkPulledAtOnce has all processors in it; refused is the share that met a full memory, which is cheaper.
func BenchmarkPulledAtOnce(b *testing.B) {
	o := optionsFor(b, dbtest.Open(b, dbtest.SQLite), at("2026-11-22 10:00:00"))
	o.SpoolBytes, o.storeEvery, o.Clock = 1<<40, time.Hour, time.Now
	l := open(b, o)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = l.Pulled(benchEntry)
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(l.Stats().Refused)/float64(b.N), "refused/op")
	leaveUnstored(b, l)
}

func leaveUnstored(b *testing.B, l *Log) {
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	check(b, l.Close(ctx))
}

// BenchmarkStored is the whole way of a pull to the database.
func BenchmarkStored(b *testing.B) {
	for _, kind := range dbtest.Kinds() {
		b.Run(string(kind), func(b *testing.B) {
			o := optionsFor(b, dbtest.Open(b, kind), at("2026-11-22 10:00:00"))
			o.storeEvery, o.Clock = time.Hour, time.Now
			l := open(b, o)
			e := benchEntry
			for i := 0; b.Loop(); i++ {
				e.NamespaceID, e.RepositoryID, e.PerformerID = int64(1+i%50), int64(1+i%500), int64(1+i%100)
				check(b, l.Pulled(e))
				if i%2000 == 0 {
					check(b, l.Flush(b.Context()))
				}
			}
			check(b, l.Flush(b.Context()))
		})
	}
}
