package content_test

import (
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

func remembering(o *content.Options) { o.Memory = content.DefaultMemory }

func TestARemovedBlobIsForgotten(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store(remembering)
		data := random(1, 100)
		b := e.push(s, alice, data)
		e.wantBlob(s, alice.RepositoryID, b.Digest, data)
		e.wantBlob(s, alice.RepositoryID, b.Digest, data)
		if err := s.Unlink(t.Context(), alice.RepositoryID, b.Digest); err != nil {
			t.Fatal(err)
		}
		e.wantUnknownBlob(s, alice.RepositoryID, b.Digest)
		e.push(s, alice, data)
		e.wantBlob(s, alice.RepositoryID, b.Digest, data)
	})
}

func TestABlobThatAnotherProcessRemovedIsForgottenInTime(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		if e.db.Dialect() == db.SQLite {
			t.Skip("one process makes all changes there")
		}
		s, other := e.store(remembering), e.store(remembering)
		data := random(1, 100)
		b := e.push(s, alice, data)
		e.wantBlob(s, alice.RepositoryID, b.Digest, data)
		if err := other.Unlink(t.Context(), alice.RepositoryID, b.Digest); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Stat(t.Context(), alice.RepositoryID, b.Digest, true); !problem.HasCode(err, "BLOB_UNKNOWN") {
			t.Errorf("a pusher is promised what another process removed: %v", err)
		}
		e.clock.forward(30 * time.Second)
		e.wantUnknownBlob(s, alice.RepositoryID, b.Digest)
	})
}
