package contenttest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/problem"
)

func wholeAtEverySize(t *testing.T, s Subject) {
	p := s.PartBytes
	for i, size := range []int{0, 1, p - 1, p, p + 1, 2 * p, 3*p + p/2} {
		d := s.Open()
		data := blob(uint64(i), size)
		_, path := object(t, d, data)
		wantContent(t, d, path, data)
		wantContent(t, s.Open(), path, data)
	}
}

func continues(t *testing.T, s Subject) {
	data := blob(1, 4*s.PartBytes+17)
	u := start(t, s.Open())
	for done := 0; done < len(data); {
		n := min(s.PartBytes*2/3+1, len(data)-done)
		u = write(t, s.Open(), u, data[done:done+n], false)
		done += n
		if u.Size != int64(done) {
			t.Fatalf("the session says %d bytes after %d were written", u.Size, done)
		}
	}
	wantContent(t, s.Open(), publish(t, s.Open(), u, data), data)
}

func dropsUnsaved(t *testing.T, s Subject) {
	for i, kept := range []int{0, s.PartBytes / 2, 2*s.PartBytes + 5} {
		d := s.Open()
		data := blob(uint64(i), 5*s.PartBytes)
		u := start(t, d)
		if kept > 0 {
			u = write(t, d, u, data[:kept], false)
		}
		w := resume(t, d, u)
		put(t, w, blob(99, 2*s.PartBytes))
		if err := w.Close(); err != nil {
			t.Errorf("Close without Save: %v", err)
		}
		u = write(t, s.Open(), u, data[kept:], true)
		wantContent(t, d, publish(t, d, u, data), data)
	}
}

func losesShortUploads(t *testing.T, s Subject) {
	d := s.Open()
	u := write(t, d, start(t, d), blob(1, s.PartBytes/2), false)
	u.Size += 10
	w, err := d.Resume(t.Context(), u)
	if err == nil {
		w.Close()
	}
	wantLost(t, "Resume behind the end", err)
	_, err = d.Publish(t.Context(), u, of(nil))
	wantLost(t, "Publish of more than there is", err)
}

func publishesWithoutWriter(t *testing.T, s Subject) {
	for i, size := range []int{0, 10, 2*s.PartBytes + 10} {
		data := blob(uint64(i), size)
		u := start(t, s.Open())
		if size > 0 {
			u = write(t, s.Open(), u, data, false)
		}
		wantContent(t, s.Open(), publish(t, s.Open(), u, data), data)
	}
}

func publishesAgain(t *testing.T, s Subject) {
	for i, size := range []int{0, 10, 2*s.PartBytes + 10} {
		for _, last := range []bool{false, true} {
			data := blob(uint64(i), size)
			u := write(t, s.Open(), start(t, s.Open()), data, last)
			path := publish(t, s.Open(), u, data)
			if again := publish(t, s.Open(), u, data); again != path {
				t.Errorf("published as %s, then as %s", path, again)
			}
			wantContent(t, s.Open(), path, data)
		}
	}
}

func usesPathsOnce(t *testing.T, s Subject) {
	d := s.Open()
	data := blob(1, 100)
	_, first := object(t, d, data)
	_, second := object(t, d, data)
	if first == second {
		t.Fatalf("both uploads were published as %s", first)
	}
	if err := d.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	wantAbsent(t, d, first)
	wantContent(t, d, second, data)
}

func abandons(t *testing.T, s Subject) {
	for _, size := range []int{0, 10, 2*s.PartBytes + 10} {
		d := s.Open()
		u := start(t, d)
		if size > 0 {
			u = write(t, d, u, blob(1, size), false)
		}
		abandon(t, s.Open(), u)
		abandon(t, d, u)
		if size > 0 {
			// A store that shows late what it has cannot tell what is gone from what is not there yet.
			_, err := d.Resume(t.Context(), u)
			if !errors.Is(err, content.ErrLost) && !problem.Is(err, problem.Unavailable) {
				t.Errorf("Resume of an abandoned upload: %v, want ErrLost or Unavailable", err)
			}
		}
	}
}

func abandonsPublished(t *testing.T, s Subject) {
	d := s.Open()
	data := blob(1, 2*s.PartBytes+10)
	u, path := object(t, d, data)
	_, other := object(t, d, data)
	abandon(t, s.Open(), u)
	wantAbsent(t, d, path)
	wantContent(t, d, other, data)
	abandon(t, d, u)

	u, path = object(t, d, data)
	u.Object = path
	abandon(t, d, u)
	wantAbsent(t, d, path)
}

// adopts leaves a writer behind that goes on at every moment it can, and either fails or changes nothing.
func adopts(t *testing.T, s Subject) {
	data := blob(1, 3*s.PartBytes+100)
	cutAt := s.PartBytes + 50
	d := s.Open()
	u := write(t, d, start(t, d), data[:cutAt], false)
	left := resume(t, d, u)
	defer left.Close()
	disturb := func() { _, _ = left.Write(blob(2, s.PartBytes)) }

	disturb()
	after, err := s.Open().Adopt(t.Context(), u, 7)
	if err != nil {
		t.Fatalf("Adopt: %v", err)
	}
	disturb()
	w := resume(t, s.Open(), stored(after))
	defer w.Close()
	put(t, w, data[cutAt:2*s.PartBytes])
	disturb()
	put(t, w, data[2*s.PartBytes:])
	disturb()
	after = save(t, w, true)
	path, err := s.Open().Publish(t.Context(), after, of(data))
	if err != nil {
		wantLost(t, "Publish after a late write", err)
		return
	}
	disturb()
	wantContent(t, d, path, data)
}

func concurrent(t *testing.T, s Subject) {
	d := s.Open()
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			data := blob(uint64(i/2), s.PartBytes+i/2)
			_, path := object(t, d, data)
			wantContent(t, d, path, data)
		})
	}
}

// random takes one upload through an arbitrary course of events.
func random(t *testing.T, s Subject) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		data := blob(seed, r.IntN(6*s.PartBytes))
		u := start(t, s.Open())
		for int(u.Size) < len(data) {
			w := resume(t, s.Open(), u)
			for at := int(u.Size); at < len(data) && r.IntN(3) > 0; {
				n := 1 + r.IntN(min(s.PartBytes, len(data)-at))
				put(t, w, data[at:at+n])
				at += n
				if r.IntN(3) > 0 {
					u = save(t, w, false)
				}
			}
			w.Close()
			if r.IntN(5) == 0 {
				u = adopted(t, s, u, int64(r.Uint32()))
			}
		}
		wantContent(t, s.Open(), publish(t, s.Open(), u, data), data)
	}
}

func adopted(t *testing.T, s Subject, u content.Session, generation int64) content.Session {
	t.Helper()
	after, err := s.Open().Adopt(t.Context(), u, generation)
	if err != nil {
		t.Fatalf("Adopt: %v", err)
	}
	if after.Path != u.Path {
		abandon(t, s.Open(), u)
	}
	return stored(after)
}
