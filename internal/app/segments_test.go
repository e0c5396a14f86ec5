package app

import (
	"testing"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/server/rest"
)

// TestNoNamespacesAddressBeginsWithThePathsOfTheServer: what the server answers itself, the API does not take for the
// short address of a repository.
func TestNoNamespacesAddressBeginsWithThePathsOfTheServer(t *testing.T) {
	x := startTarget(t, dbtest.Kinds()[0], nil)
	own := x.server.OwnSegments()
	if len(own) < 10 {
		t.Fatalf("the server keeps only %q", own)
	}
	for _, segment := range own {
		if !rest.IsReserved(segment) {
			t.Errorf("/%s/… is the server's, and may be the short address of a repository", segment)
		}
	}
}
