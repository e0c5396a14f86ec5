package spool_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/audit/spool"
)

// disk gives room to files until it is full.
type disk struct{ full atomic.Bool }

func (d *disk) allocate(*os.File, int64) error {
	if d.full.Load() {
		return syscall.ENOSPC
	}
	return nil
}

// withReserve is a spool with eight files of its reserve, on a disk that can be full.
func withReserve(t *testing.T) (*spool.Spool, spool.Options, *disk) {
	t.Helper()
	d, o := &disk{}, options(t)
	o.Reserve, o.Allocate, o.Gather = 8*o.Segment, d.allocate, time.Hour
	s := open(t, o)
	reserved(t, s, o.Reserve)
	return s, o, d
}

// reserved waits until so much room is set aside.
func reserved(t *testing.T, s *spool.Spool, want int64) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); s.Reserved() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are set aside, expected %d", s.Reserved(), want)
		}
	}
}

// written writes what is in memory, as soon as a file of the reserve is cleared.
func written(t *testing.T, s *spool.Spool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(time.Millisecond) {
		if err := s.Write(); err == nil || !errors.Is(err, syscall.ENOSPC) || time.Now().After(deadline) {
			check(t, err)
			return
		}
	}
}

// TestAFullDiskTakesWhatIsReadInTime has every segment made of the reserve, and each of its files many times.
func TestAFullDiskTakesWhatIsReadInTime(t *testing.T) {
	s, o, d := withReserve(t)
	d.full.Store(true)
	var at spool.Position
	const each = 150
	for round := range 40 {
		for i := range each {
			check(t, s.Append(record(each*round+i)))
		}
		written(t, s)
		got, next, damaged := read(t, s.Files, at, 40)
		expect(t, got, each*round, each*round+each)
		if at = next; damaged != 0 {
			t.Fatalf("%d bytes are damaged", damaged)
		}
		check(t, s.Release(at))
	}
	if s.Reserved() > o.Reserve {
		t.Errorf("%d bytes are set aside", s.Reserved())
	}
}

// TestOldRecordsDoNotComeBackFromTheReserve adopts a spool whose last segments were other segments before.
func TestOldRecordsDoNotComeBackFromTheReserve(t *testing.T) {
	for _, last := range []int{1, 30, 75} {
		s, o, d := withReserve(t)
		d.full.Store(true)
		n := 0
		var at spool.Position
		for range 20 {
			for range 100 {
				check(t, s.Append(record(n)))
				n++
			}
			written(t, s)
			_, at, _ = read(t, s.Files, at, 1000)
			check(t, s.Release(at))
		}
		for i := range last {
			check(t, s.Append(record(n+i)))
		}
		written(t, s)
		f := adopted(t, s, o)
		got, _, damaged := read(t, f, at, 20)
		expect(t, got, n, n+last)
		if damaged != 0 {
			t.Errorf("%d bytes are damaged", damaged)
		}
		check(t, f.Remove())
	}
}

// TestATornEndInTheReserveIsReported overwrites part of a segment that was made of the reserve.
func TestATornEndInTheReserveIsReported(t *testing.T) {
	s, o, d := withReserve(t)
	d.full.Store(true)
	for i := range 20 {
		check(t, s.Append(record(i)))
	}
	check(t, s.Write())
	f := adopted(t, s, o)
	name := filepath.Join(o.Dir, s.ID(), "000000000001.seg")
	content, err := os.ReadFile(name)
	check(t, err)
	clear(content[len(content)/2 : len(content)-3])
	check(t, os.WriteFile(name, content, 0o600))
	check(t, f.Remove()) // the size is what it was when it was adopted
	check(t, os.MkdirAll(filepath.Dir(name), 0o700))
	check(t, os.WriteFile(name, append(content, make([]byte, 100)...), 0o600))
	files, err := spool.Adopt(o)
	check(t, err)
	got, _, damaged := read(t, files[0], spool.Position{}, 7)
	if len(got) == 0 || len(got) >= 20 || damaged < 100 {
		t.Errorf("%d records, %d bytes damaged", len(got), damaged)
	}
}

func TestWithoutRoomOnTheDiskRecordsWaitInMemory(t *testing.T) {
	s, o, d := withReserve(t)
	d.full.Store(true)
	n := 0
	for ; n < 10_000; n++ {
		check(t, s.Append(record(n)))
		if n%20 != 0 {
			continue
		}
		if err := s.Write(); errors.Is(err, syscall.ENOSPC) {
			break
		} else {
			check(t, err)
		}
	}
	if written := o.Budget.Used(); written < o.Reserve || s.Reserved() != 0 {
		t.Errorf("%d bytes were written, %d are set aside", written, s.Reserved())
	}
	check(t, s.Append(record(n+1)))
	d.full.Store(false)
	check(t, s.Write())
	got, _, _ := read(t, s.Files, spool.Position{}, 100)
	expect(t, got, 0, n+2)
	reserved(t, s, o.Reserve)
}

func TestASystemThatCannotSetRoomAsideIsSaidSo(t *testing.T) {
	o := options(t)
	var log bytes.Buffer
	said := make(chan struct{}, 1)
	o.Log = slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		defer func() { said <- struct{}{} }()
		return log.Write(p)
	}), nil))
	o.Reserve, o.Allocate = 8*o.Segment, func(*os.File, int64) error { return syscall.EOPNOTSUPP }
	s := open(t, o)
	select {
	case <-said:
	case <-time.After(15 * time.Second):
		t.Fatal("nothing is said")
	}
	if !strings.Contains(log.String(), "fallocate") || s.Reserved() != 0 {
		t.Errorf("%s %d", log.String(), s.Reserved())
	}
	for i := range 200 {
		check(t, errors.Join(s.Append(record(i)), s.Write()))
	}
	got, at, _ := read(t, s.Files, spool.Position{}, 100)
	expect(t, got, 0, 200)
	check(t, s.Release(at))
	left, err := filepath.Glob(filepath.Join(o.Dir, s.ID(), "*.room"))
	if err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

type writer func([]byte) (int, error)

// Write implements io.Writer.
func (w writer) Write(p []byte) (int, error) { return w(p) }

// TestTheReserveLeavesOthersTheirRoom has a disk with room for three files beyond what it keeps.
func TestTheReserveLeavesOthersTheirRoom(t *testing.T) {
	o := options(t)
	var asked atomic.Int64
	o.Reserve = 8 * o.Segment
	o.Free = func(string) (int64, error) { return (4 - asked.Add(1)) * o.Segment, nil }
	s := open(t, o)
	reserved(t, s, 3*o.Segment)
	check(t, errors.Join(s.Append(record(1)), s.Write(), s.Close(), s.Leave()))
	if left, err := filepath.Glob(filepath.Join(o.Dir, s.ID(), "*")); err != nil || len(left) != 1 {
		t.Error(left, err)
	}
}

func TestTheReserveOfAKilledProcessIsGivenBack(t *testing.T) {
	o := options(t)
	s := open(t, o)
	check(t, errors.Join(s.Append(record(1)), s.Close()))
	room := filepath.Join(o.Dir, s.ID(), "000001.room")
	check(t, os.WriteFile(room, make([]byte, 100), 0o600))
	f := adopted(t, s, o)
	if _, err := os.Stat(room); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	got, _, _ := read(t, f, spool.Position{}, 10)
	expect(t, got, 1, 2)
}
