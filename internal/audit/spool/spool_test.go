package spool_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/longshore-registry/longshore/internal/audit/spool"
)

func options(t testing.TB) spool.Options {
	return spool.Options{
		Dir: t.TempDir(), Budget: spool.NewBudget(1 << 20), Segment: 4 << 10, Gather: time.Millisecond,
		Clock: time.Now, Log: slog.New(slog.DiscardHandler),
	}
}

func open(t testing.TB, o spool.Options) *spool.Spool {
	t.Helper()
	s, err := spool.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func record(i int) []byte { return fmt.Appendf(nil, "record %d %0*d", i, i%90, i) }

// read takes everything after a position, in batches of a size.
func read(t testing.TB, f *spool.Files, from spool.Position, size int) (all [][]byte, end spool.Position, damaged int64) {
	t.Helper()
	for {
		b, err := f.Read(from, size)
		check(t, err)
		if b.Next == from {
			return all, from, damaged
		}
		for _, r := range b.Records {
			all = append(all, bytes.Clone(r))
		}
		damaged += b.Damaged
		from = b.Next
	}
}

// adopted leaves the spool as a process that died would, and adopts it.
func adopted(t testing.TB, s *spool.Spool, o spool.Options) *spool.Files {
	t.Helper()
	check(t, errors.Join(s.Close(), s.Leave()))
	files, err := spool.Adopt(o)
	check(t, err)
	if len(files) != 1 || files[0].ID() != s.ID() {
		t.Fatalf("adopted %v", files)
	}
	return files[0]
}

func expect(t testing.TB, got [][]byte, from, to int) {
	t.Helper()
	if len(got) != to-from {
		t.Fatalf("%d records, %d expected", len(got), to-from)
	}
	for i, r := range got {
		if !bytes.Equal(r, record(from+i)) {
			t.Fatalf("record %d is %q, expected %q", i, r, record(from+i))
		}
	}
}

func TestRecordsComeBackInOrder(t *testing.T) {
	o := options(t)
	s := open(t, o)
	var at spool.Position
	for round := range 5 {
		for i := range 200 {
			check(t, s.Append(record(200*round+i)))
		}
		check(t, s.Write())
		var got [][]byte
		got, at, _ = read(t, s.Files, at, 7)
		expect(t, got, 200*round, 200*round+200)
		check(t, s.Release(at))
	}
	if used := o.Budget.Used(); used > 24<<10 { // the last write
		t.Errorf("%d bytes are used after all was released but a segment", used)
	}
	check(t, errors.Join(s.Close(), s.Remove()))
	if left, _ := os.ReadDir(o.Dir); len(left) > 0 || o.Budget.Used() != 0 {
		t.Errorf("left: %v and %d bytes of the budget", left, o.Budget.Used())
	}
}

func TestRecordsAreWrittenWithoutBeingAskedFor(t *testing.T) {
	s := open(t, options(t))
	for i := range 3 {
		check(t, s.Append(record(i)))
		select {
		case <-s.More():
		case <-time.After(5 * time.Second):
			t.Fatal("nothing was written")
		}
		got, _, _ := read(t, s.Files, spool.Position{}, 10)
		expect(t, got, 0, i+1)
	}
}

func TestManyAppendAtOnce(t *testing.T) {
	s := open(t, options(t))
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 500 {
				if err := s.Append(fmt.Appendf(nil, "%d %d", g, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	check(t, s.Write())
	got, _, _ := read(t, s.Files, spool.Position{}, 100)
	next := map[int]int{}
	for _, r := range got {
		var g, i int
		if _, err := fmt.Sscan(string(r), &g, &i); err != nil || next[g] != i {
			t.Fatalf("%q, %v: expected %d of %d", r, err, next[g], g)
		}
		next[g]++
	}
	if len(got) != 4000 {
		t.Errorf("%d records", len(got))
	}
}

func TestASpoolIsAdoptedByOneOnlyWhenItsOwnerIsGone(t *testing.T) {
	o := options(t)
	s := open(t, o)
	check(t, s.Append(record(0)))
	if files, err := spool.Adopt(o); err != nil || len(files) != 0 {
		t.Fatalf("adopted %v, %v while its owner lives", files, err)
	}
	f := adopted(t, s, o)
	if again, err := spool.Adopt(o); err != nil || len(again) != 0 {
		t.Fatalf("adopted %v, %v twice", again, err)
	}
	got, _, _ := read(t, f, spool.Position{}, 10)
	expect(t, got, 0, 1)
	check(t, f.Remove())
	if left, _ := os.ReadDir(o.Dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestTheBudgetIsKept(t *testing.T) {
	o := options(t)
	o.Budget = spool.NewBudget(20 << 10)
	s := open(t, o)
	n := 0
	for ; n < 2000; n++ {
		err := s.Append(record(n))
		if errors.Is(err, spool.ErrFull) {
			break
		}
		check(t, err)
		if n%50 == 0 {
			check(t, s.Write())
		}
	}
	check(t, s.Write())
	if used := o.Budget.Used(); used > 20<<10+64 || used < 19<<10 {
		t.Errorf("%d bytes used", used)
	}
	got, at, _ := read(t, s.Files, spool.Position{}, 100)
	expect(t, got, 0, n)
	check(t, s.Release(at))
	check(t, s.Append(record(n)))
}

// TestAFullSpoolHasRoomOnceItIsEmptied has all that fits in one segment, which no write would end any more.
func TestAFullSpoolHasRoomOnceItIsEmptied(t *testing.T) {
	o := options(t)
	o.Budget, o.Segment, o.Gather = spool.NewBudget(8<<10), 4<<10, time.Hour
	s := open(t, o)
	var at spool.Position
	for next := range 5 {
		n := 0
		for ; n < 2000 && !errors.Is(s.Append(record(100*next+n)), spool.ErrFull); n++ {
			check(t, s.Write())
		}
		if n < 50 {
			t.Fatalf("there was room for %d records in round %d", n, next)
		}
		var got [][]byte
		got, at, _ = read(t, s.Files, at, 1000)
		expect(t, got, 100*next, 100*next+n)
		check(t, s.Release(at))
	}
}

func TestWhatASpoolDoesNotTake(t *testing.T) {
	s := open(t, options(t))
	for _, r := range [][]byte{nil, make([]byte, spool.MaxRecord+1)} {
		if err := s.Append(r); !errors.Is(err, spool.ErrSize) {
			t.Errorf("%d bytes: %v", len(r), err)
		}
	}
	check(t, s.Close())
	if err := s.Append(record(1)); !errors.Is(err, spool.ErrClosed) {
		t.Error(err)
	}
}

func TestRecordsWaitForAFolderThatCannotBeWritten(t *testing.T) {
	o := options(t)
	s := open(t, o)
	path := filepath.Join(o.Dir, s.ID())
	check(t, os.Rename(path, path+"-away"))
	for i := range 10 {
		check(t, s.Append(record(i)))
		time.Sleep(2 * time.Millisecond)
	}
	if err := s.Write(); err == nil {
		t.Fatal("written to a folder that is away")
	}
	check(t, os.Rename(path+"-away", path))
	check(t, s.Write())
	got, _, _ := read(t, s.Files, spool.Position{}, 100)
	expect(t, got, 0, 10)
}

// TestATornEndIsLeftOut damages the last of several segments in every way: what was whole before is read, nothing else.
func TestATornEndIsLeftOut(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		o := options(t)
		s := open(t, o)
		n := rapid.IntRange(1, 150).Draw(r, "records")
		for i := range n {
			check(t, s.Append(record(i)))
		}
		check(t, errors.Join(s.Write(), s.Close(), s.Leave()))
		names, err := filepath.Glob(filepath.Join(o.Dir, s.ID(), "*.seg"))
		check(t, err)
		last := names[len(names)-1]
		content, err := os.ReadFile(last)
		check(t, err)
		cut := rapid.IntRange(0, len(content)).Draw(r, "cut")
		torn := append(bytes.Clone(content[:cut]), rapid.SliceOfN(rapid.Just(byte(0)), 0, 40).Draw(r, "zeros")...)
		check(t, os.WriteFile(last, torn, 0o600))
		files, err := spool.Adopt(o)
		check(t, err)
		got, _, _ := read(t, files[0], spool.Position{}, rapid.IntRange(1, 20).Draw(r, "batch"))
		for i, g := range got {
			if !bytes.Equal(g, record(i)) {
				t.Fatalf("record %d is %q", i, g)
			}
		}
		whole := wholeFrames(content[:cut])
		if want := n - wholeFrames(content) + whole; len(got) != want {
			t.Fatalf("%d records of %d with a cut at %d of %d, expected %d", len(got), n, cut, len(content), want)
		}
		check(t, files[0].Remove())
	})
}

// wholeFrames counts the frames of a segment by their lengths alone.
func wholeFrames(b []byte) (n int) {
	for b = b[min(8, len(b)):]; len(b) >= 8; n++ {
		size := 8 + int(b[0]) + int(b[1])<<8
		if size > len(b) {
			return n
		}
		b = b[size:]
	}
	return n
}

func TestDamageIsLeftOutAndReported(t *testing.T) {
	for _, test := range []struct {
		claim  string
		damage func(content []byte) []byte
	}{
		{"a changed bit", func(c []byte) []byte { c[len(c)/2] ^= 4; return c }},
		{"another beginning", func(c []byte) []byte { c[7]++; return c }},
		{"a length beyond the limit", func(c []byte) []byte { c[11] = 0x7f; return c }},
		{"zeros from the middle on", func(c []byte) []byte { clear(c[len(c)/2:]); return c }},
	} {
		t.Run(test.claim, func(t *testing.T) {
			o := options(t)
			s := open(t, o)
			for i := range 150 {
				check(t, s.Append(record(i)))
				if i%10 == 0 {
					check(t, s.Write())
				}
			}
			f := adopted(t, s, o)
			names, err := filepath.Glob(filepath.Join(o.Dir, s.ID(), "*.seg"))
			check(t, err)
			content, err := os.ReadFile(names[0])
			check(t, err)
			check(t, os.WriteFile(names[0], test.damage(content), 0o600))
			got, _, damaged := read(t, f, spool.Position{}, 20)
			if damaged == 0 || len(got) == 0 || !bytes.Equal(got[len(got)-1], record(149)) {
				t.Errorf("%d records, %d bytes damaged", len(got), damaged)
			}
		})
	}
}

func TestSyncWorksInEveryState(t *testing.T) {
	s := open(t, options(t))
	check(t, s.Sync())
	for i := range 100 {
		check(t, errors.Join(s.Append(record(i)), s.Write(), s.Sync(), s.Sync()))
	}
	check(t, errors.Join(s.Close(), s.Sync()))
}

func BenchmarkAppend(b *testing.B) {
	o := options(b)
	o.Budget, o.Gather = spool.NewBudget(1<<40), time.Hour
	s := open(b, o)
	r := make([]byte, 350)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%5000 == 0 {
			b.StopTimer()
			check(b, s.Write())
			b.StartTimer()
		}
		check(b, s.Append(r))
	}
}
