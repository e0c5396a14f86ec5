package content_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

func TestUpload(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		for i, size := range []int{0, 1, partBytes, 300_000} {
			data := random(uint64(i), size)
			d := sha256Of(data)

			b := e.push(s, alice, data)
			if got := e.wantBlob(s, alice.RepositoryID, d, data); !cmp.Equal(got, b, cmp.AllowUnexported(digest.Digest{})) {
				t.Errorf("Finish said %+v, Stat says %+v", b, got)
			}
			e.wantUnknownBlob(s, bob.RepositoryID, d)

			id := e.start(s, bob)
			e.append(s, bob, id, appending(data))
			e.wantKept(s, bob, id, size)
			e.finish(s, bob, id, content.Chunk{From: -1, To: -1}, d)
			e.wantBlob(e.store(), bob.RepositoryID, d, data)
			e.wantUnknownUpload(s, bob, id)
		}
		e.wantLeft(4, 0) // the second upload's object is dropped: the blob has one
		if n := e.count(`blob_object`); n != 4 {
			t.Errorf("%d objects are recorded, want 4", n)
		}
	})
}

func TestUploadIsContinuedByAnotherProcess(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		data := random(1, 10*partBytes+123)
		id := e.start(e.store(), alice)
		for from := 0; from < len(data); from += 4000 {
			to := min(from+4000, len(data))
			u := e.append(e.store(), alice, id, ranged(from, data[from:to]))
			if u.Received != int64(to) {
				t.Fatalf("after byte %d the upload has %d", to, u.Received)
			}
			e.wantKept(e.store(), alice, id, to)
		}
		e.finish(e.store(), alice, id, content.Chunk{From: -1, To: -1}, sha256Of(data))
		e.wantBlob(e.store(), alice.RepositoryID, sha256Of(data), data)
		e.wantLeft(1, 0)
	})
}

func TestChunkMustBeginWhereTheUploadEnds(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 900)
		id := e.start(s, alice)
		refused := func(what string, c content.Chunk, kept int) {
			t.Helper()
			u, err := s.Append(t.Context(), alice, id, c)
			wantCode(t, what, err, problem.RangeInvalid, "BLOB_UPLOAD_INVALID")
			if u != (content.Upload{ID: id, Received: int64(kept)}) {
				t.Errorf("%s: the answer says %+v, want %d bytes kept", what, u, kept)
			}
			_, err = s.Finish(t.Context(), alice, id, c, sha256Of(data))
			wantCode(t, what+" when finishing", err, problem.RangeInvalid, "BLOB_UPLOAD_INVALID")
			e.wantKept(s, alice, id, kept)
		}
		refused("a first chunk that does not begin at 0", ranged(300, data[300:600]), 0)
		e.append(s, alice, id, ranged(0, data[:300]))
		refused("a chunk that leaves a gap", ranged(600, data[600:]), 300)
		refused("a repeated chunk", ranged(0, data[:300]), 300)
		refused("a chunk that overlaps", ranged(200, data[200:600]), 300)
		e.append(s, alice, id, ranged(300, data[300:600]))
		e.finish(s, alice, id, ranged(600, data[600:]), sha256Of(data))
		e.wantBlob(s, alice.RepositoryID, sha256Of(data), data)
	})
}

func TestChunkTakesWhatItsRangeNames(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 100)
		id := e.start(s, alice)
		for _, step := range []struct {
			claim    string
			from, to int64
			body     []byte
			kept     int
		}{
			{"a body beyond the range is cut", 0, 49, data[:60], 50},
			{"an empty range takes nothing", 50, 49, data[50:], 50},
			{"a body that ends before the range is taken", 50, 99, data[50:70], 70},
			{"no range appends", -1, -1, data[70:], 100},
			{"no body appends nothing", -1, -1, nil, 100},
		} {
			u, err := s.Append(t.Context(), alice, id, content.Chunk{From: step.from, To: step.to, Body: bytes.NewReader(step.body)})
			if err != nil || u.Received != int64(step.kept) {
				t.Errorf("%s: %d bytes, %v; want %d", step.claim, u.Received, err, step.kept)
			}
		}
		_, err := s.Append(t.Context(), alice, id, content.Chunk{From: 100, To: 98, Body: strings.NewReader("x")})
		wantCode(t, "a range that ends before it begins", err, problem.Invalid, "INVALID_REQUEST")
		e.finish(s, alice, id, content.Chunk{From: -1, To: -1}, sha256Of(data))
	})
}

func TestWrongDigestCancelsTheUpload(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 2*partBytes)
		for _, wrong := range []digest.Digest{sha256Of(data[1:]), sha512Of(data[1:])} {
			id := e.start(s, alice)
			e.append(s, alice, id, appending(data[:partBytes]))
			_, err := s.Finish(t.Context(), alice, id, appending(data[partBytes:]), wrong)
			wantCode(t, "Finish with "+wrong.Algorithm().String(), err, problem.Invalid, "DIGEST_INVALID")
			e.wantUnknownUpload(s, alice, id)
			e.wantUnknownBlob(s, alice.RepositoryID, wrong)
		}
		e.wantLeft(0, 0)
		if n := e.count(`upload`) + e.count(`blob`) + e.count(`blob_object`); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

func TestAlgorithms(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		for i, test := range []struct {
			claim     string
			announced digest.Algorithm
			finished  digest.Algorithm
			early     int
		}{
			{"sha512 announced", digest.SHA512, digest.SHA512, 100},
			{"sha512 with everything in the last request", digest.SHA256, digest.SHA512, 0},
			{"sha512 after bytes were hashed with sha256", digest.SHA256, digest.SHA512, 100},
			{"sha256 after bytes were hashed with sha512", digest.SHA512, digest.SHA256, 100},
		} {
			data := random(uint64(i), 5*partBytes)
			u, err := s.Start(t.Context(), alice, test.announced)
			if err != nil {
				t.Fatal(err)
			}
			if test.early > 0 {
				e.append(s, alice, u.ID, appending(data[:test.early]))
			}
			d := test.finished.Of(data)
			e.finish(e.store(), alice, u.ID, appending(data[test.early:]), d)
			e.wantBlob(s, alice.RepositoryID, d, data)
		}
		_, err := s.Start(t.Context(), alice, digest.Algorithm(9))
		wantCode(t, "an unknown algorithm", err, problem.Invalid, "DIGEST_INVALID")
		_, err = s.Finish(t.Context(), alice, e.start(s, alice), content.Chunk{From: -1, To: -1}, digest.Digest{})
		wantCode(t, "no digest", err, problem.Invalid, "DIGEST_INVALID")
	})
}

func TestFinishMayBeRepeated(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 100)
		id := e.start(s, alice)
		first := e.finish(s, alice, id, appending(data), sha256Of(data))
		again := e.finish(e.store(), alice, id, appending(data), sha256Of(data))
		if first.ID != again.ID || first.Object != again.Object {
			t.Errorf("the first answer was %+v, the second %+v", first, again)
		}
		_, err := s.Finish(t.Context(), alice, id, appending(data), sha256Of(data[1:]))
		wantCode(t, "a digest that is not there", err, problem.NotFound, "BLOB_UPLOAD_UNKNOWN")
		_, err = s.Finish(t.Context(), in(alice, 33), id, appending(data), sha256Of(data))
		wantCode(t, "a repository without the blob", err, problem.NotFound, "BLOB_UPLOAD_UNKNOWN")
	})
}

func TestForeignUploadsAreUnknown(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 100)
		id := e.start(s, alice)
		e.append(s, alice, id, appending(data[:50]))
		for claim, test := range map[string]struct {
			owner content.Owner
			id    string
		}{
			"another repository":      {in(alice, 12), id},
			"another actor":           {content.Owner{RepositoryID: 11, AccountID: 1, Actor: "robot:alice+ci"}, id},
			"another account":         {content.Owner{RepositoryID: 11, AccountID: 3, Actor: "user:alice"}, id},
			"somebody else":           {bob, id},
			"an identifier of no one": {alice, "b4f0a6b2-0000-4000-8000-000000000000"},
			"upper case":              {alice, strings.ToUpper(id)},
			"braces":                  {alice, "{" + id + "}"},
			"a path":                  {alice, "../../etc/passwd"},
			"nothing":                 {alice, ""},
			"something long":          {alice, strings.Repeat("a", 10_000)},
		} {
			e.wantUnknownUpload(s, test.owner, test.id)
			_, err := s.Append(t.Context(), test.owner, test.id, appending(data[50:]))
			wantCode(t, "Append: "+claim, err, problem.NotFound, "BLOB_UPLOAD_UNKNOWN")
			_, err = s.Finish(t.Context(), test.owner, test.id, appending(data[50:]), sha256Of(data))
			wantCode(t, "Finish: "+claim, err, problem.NotFound, "BLOB_UPLOAD_UNKNOWN")
			err = s.Cancel(t.Context(), test.owner, test.id)
			wantCode(t, "Cancel: "+claim, err, problem.NotFound, "BLOB_UPLOAD_UNKNOWN")
			if len(err.Error()) > 300 {
				t.Errorf("%s: the error has %d bytes", claim, len(err.Error()))
			}
		}
		e.finish(s, alice, id, appending(data[50:]), sha256Of(data))
	})
}

func TestCutConnectionKeepsWhatArrived(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 5*partBytes)
		id := e.start(s, alice)
		ctx, cancel := context.WithCancel(t.Context())
		u, err := s.Append(ctx, alice, id, content.Chunk{From: -1, To: -1, Body: broken{bytes.NewReader(data[:4000])}})
		cancel()
		wantCode(t, "a cut PATCH", err, problem.Invalid, "BLOB_UPLOAD_INVALID")
		if !errors.Is(err, errCut) || u.Received != 4000 {
			t.Errorf("a cut PATCH: %+v, %v", u, err)
		}
		e.wantKept(e.store(), alice, id, 4000)

		ended, cancel := context.WithCancel(t.Context())
		body := io.MultiReader(bytes.NewReader(data[4000:5000]), readerFunc(func([]byte) (int, error) { cancel(); return 0, ended.Err() }))
		_, err = s.Finish(ended, alice, id, content.Chunk{From: 4000, To: int64(len(data) - 1), Body: body}, sha256Of(data))
		wantCode(t, "a cut PUT", err, problem.Invalid, "BLOB_UPLOAD_INVALID")
		e.wantKept(s, alice, id, 5000)

		e.finish(e.store(), alice, id, ranged(5000, data[5000:]), sha256Of(data))
		e.wantBlob(s, alice.RepositoryID, sha256Of(data), data)
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestLongRequestIsSavedOnTheWay(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		id := e.start(s, alice)
		slow := 0
		body := io.MultiReader(
			strings.NewReader("some bytes"),
			readerFunc(func(p []byte) (int, error) {
				if slow++; slow > 3 {
					return 0, io.EOF
				}
				e.clock.forward(content.CheckpointAge)
				e.wantKept(e.store(), alice, id, []int{0, 11, 12}[slow-1])
				return copy(p, "."), nil
			}))
		e.append(s, alice, id, content.Chunk{From: -1, To: -1, Body: body})
		e.wantKept(s, alice, id, 13)
	})
}

func TestLargeRequestIsSavedOnTheWay(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		if e.db.Dialect().String() != "SQLite" {
			t.Skip("the same code, at a hundred megabytes")
		}
		s := e.store()
		id := e.start(s, alice)
		e.append(s, alice, id, appending(make([]byte, 1000)))
		seen := false
		body := io.MultiReader(io.LimitReader(zeros{}, content.CheckpointBytes), readerFunc(func([]byte) (int, error) {
			seen = true
			e.wantKept(s, alice, id, content.CheckpointBytes)
			return 0, io.EOF
		}))
		e.append(s, alice, id, content.Chunk{From: -1, To: -1, Body: body})
		if e.wantKept(s, alice, id, content.CheckpointBytes+1000); !seen {
			t.Error("the body was not read to its end")
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestBlobLargerThanTheLimitCancelsTheUpload(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store(func(o *content.Options) { o.MaxBlob = 5000 })
		data := random(1, 5001)
		e.push(s, alice, data[:5000])
		for claim, c := range map[string]content.Chunk{
			"without a range":            appending(data),
			"the range says so":          {From: 0, To: 5000, Body: readerFunc(func([]byte) (int, error) { t.Error("the body was read"); return 0, io.EOF })},
			"without a range, in pieces": {From: -1, To: -1, Body: io.MultiReader(bytes.NewReader(data[:1]), bytes.NewReader(data[1:]))},
		} {
			id := e.start(s, alice)
			_, err := s.Append(t.Context(), alice, id, c)
			wantCode(t, claim, err, problem.TooLarge, "BLOB_UPLOAD_INVALID")
			if p := problem.From(err); !strings.Contains(p.Message, "5000") || p.Detail == nil {
				t.Errorf("%s: %q, %v does not name the sizes", claim, p.Message, p.Detail)
			}
			e.wantUnknownUpload(s, alice, id)
		}
		id := e.start(s, alice)
		e.append(s, alice, id, appending(data[:5000]))
		_, err := s.Finish(t.Context(), alice, id, appending(data[5000:]), sha256Of(data))
		wantCode(t, "in the last request", err, problem.TooLarge, "BLOB_UPLOAD_INVALID")
		e.wantUnknownUpload(s, alice, id)
		e.wantLeft(1, 0)
	})
}

func TestOpenUploadsOfAnAccountAreLimited(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store(func(o *content.Options) { o.MaxUploads = 3 })
		robot := content.Owner{RepositoryID: 5, Actor: "token:1"}
		other := content.Owner{RepositoryID: 5, Actor: "token:2"}
		for _, o := range []content.Owner{alice, robot} {
			id := e.start(s, o)
			e.start(s, in(o, 99))
			e.start(s, o)
			_, err := s.Start(t.Context(), o, digest.SHA256)
			wantCode(t, "the fourth upload", err, problem.TooMany, "TOOMANYREQUESTS")
			if problem.From(err).RetryAfter <= 0 {
				t.Error("the error does not say when to try again")
			}
			if err := s.Cancel(t.Context(), o, id); err != nil {
				t.Fatalf("Cancel: %v", err)
			}
			e.start(s, o)
		}
		e.start(s, bob)
		e.start(s, other)
		if e.root != "" {
			e.wantLeft(0, 8)
		}
	})
}

func TestCancel(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 2*partBytes+10)
		id := e.start(s, alice)
		e.append(s, alice, id, appending(data))
		if err := e.store().Cancel(t.Context(), alice, id); err != nil {
			t.Fatalf("Cancel: %v", err)
		}
		e.wantUnknownUpload(s, alice, id)
		wantCode(t, "Cancel again", s.Cancel(t.Context(), alice, id), problem.NotFound, "BLOB_UPLOAD_UNKNOWN")
		_, err := s.Append(t.Context(), alice, id, appending(data))
		wantCode(t, "Append", err, problem.NotFound, "BLOB_UPLOAD_UNKNOWN")
		e.wantLeft(0, 0)
	})
}

func TestCancelStopsARequestThatIsSendingData(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 2*partBytes+10)
		for _, finish := range []bool{false, true} {
			id := e.start(s, alice)
			body := io.MultiReader(bytes.NewReader(data), readerFunc(func([]byte) (int, error) {
				if err := e.store().Cancel(t.Context(), alice, id); err != nil {
					t.Errorf("Cancel: %v", err)
				}
				return 0, io.EOF
			}))
			c := content.Chunk{From: -1, To: -1, Body: body}
			var err error
			if finish {
				_, err = s.Finish(t.Context(), alice, id, c, sha256Of(data))
			} else {
				_, err = s.Append(t.Context(), alice, id, c)
			}
			wantCode(t, "a request whose upload is cancelled", err, problem.NotFound, "BLOB_UPLOAD_UNKNOWN")
			e.wantUnknownBlob(s, alice.RepositoryID, sha256Of(data))
		}
		e.wantLeft(0, 0)
		if n := e.count(`upload`); n != 0 {
			t.Errorf("%d upload rows are left", n)
		}
	})
}

func TestReapRemovesWhatExpired(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 2*partBytes+10)
		var old []string
		for range 3 {
			id := e.start(s, alice)
			e.append(s, alice, id, appending(data))
			old = append(old, id)
		}
		e.start(s, alice)
		e.clock.forward(content.UploadLifetime - time.Second)
		fresh := e.start(s, alice)
		e.append(s, alice, old[0], appending(data)) // a byte gives it a new life
		e.clock.forward(time.Second)
		for _, want := range []int{2, 1, 0} {
			if n, err := s.Reap(t.Context(), 2); n != want || err != nil {
				t.Errorf("Reap: %d, %v; want %d", n, err, want)
			}
		}
		e.wantUnknownUpload(s, alice, old[1])
		e.wantKept(s, alice, old[0], 2*len(data))
		e.wantKept(s, alice, fresh, 0)
		if e.root != "" {
			e.wantLeft(0, 2)
		}
	})
}
