package contenttest

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/content"
)

func deletes(t *testing.T, s Subject) {
	d := s.Open()
	data := blob(1, 100)
	_, first := object(t, d, data)
	_, second := object(t, d, data)
	_, third := object(t, d, data)
	for range 2 {
		if err := d.Delete(t.Context(), first, second); err != nil {
			t.Fatalf("Delete: %v", err)
		}
	}
	if err := d.Delete(t.Context()); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
	wantAbsent(t, d, first)
	wantAbsent(t, s.Open(), second)
	wantContent(t, d, third, data)
}

func seeks(t *testing.T, s Subject) {
	d := s.Open()
	data := blob(1, 2*s.PartBytes+3)
	_, path := object(t, d, data)
	o, err := d.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	for _, at := range []int{s.PartBytes, 0, len(data) - 1, len(data), 7} {
		if _, err := o.Seek(int64(at), io.SeekStart); err != nil {
			t.Fatalf("Seek to %d: %v", at, err)
		}
		got, err := io.ReadAll(io.LimitReader(o, 100))
		if want := data[at:min(at+100, len(data))]; err != nil || !bytes.Equal(got, want) {
			t.Errorf("at byte %d: %d bytes, %v; want %d", at, len(got), err, len(want))
		}
	}
	if end, err := o.Seek(0, io.SeekEnd); err != nil || end != int64(len(data)) {
		t.Errorf("the end is at %d, %v; want %d", end, err, len(data))
	}
}

func reportsAbsence(t *testing.T, s Subject) {
	d := s.Open()
	wantAbsent(t, d, "sha256/ab/"+of(nil).Hex())
	_, path := object(t, d, blob(1, 10))
	if err := d.Delete(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	wantAbsent(t, d, path)
}

func servesImported(t *testing.T, s Subject) {
	d := s.Open()
	data := blob(1, 1000)
	for _, path := range []string{
		"sha256/" + of(data).Hex()[:2] + "/" + of(data).Hex(),
		"sharedimages/7c2a9f7e-5c2d-4a55-9d0c-1d1c4b9a1f00/layer",
	} {
		s.Place(path, data)
		wantContent(t, d, path, data)
		if err := d.Delete(t.Context(), path); err != nil {
			t.Errorf("Delete of %s: %v", path, err)
		}
		wantAbsent(t, d, path)
	}
}

func checks(t *testing.T, s Subject) {
	d := s.Open()
	if err := d.Check(t.Context()); err != nil {
		t.Errorf("Check: %v", err)
	}
	if r, ok := d.(content.Redirector); ok {
		_, path := object(t, d, blob(1, 10))
		if u, err := r.URL(t.Context(), path, time.Minute); err != nil || u == "" {
			t.Errorf("URL: %q, %v", u, err)
		}
	}
}
