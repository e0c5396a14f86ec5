package overview

import (
	"context"
	"fmt"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/tally"
)

// Pulled is how often something was pulled since that is counted, and when last; the zero Pulled is never.
type Pulled struct {
	Count int64
	Last  time.Time
}

// Pulls says how often a tag and a manifest of a repository were pulled, in one query. An empty tag was never pulled. What
// is counted is the tag's name, whatever it pointed at.
func (r *Reader) Pulls(ctx context.Context, repositoryID int64, tag string, d digest.Digest) (byTag, manifest Pulled, err error) {
	rows, err := r.db.Query(ctx, `SELECT kind, pulls, last_ms FROM pull_stat
		WHERE repo_id = $1 AND (kind = $2 AND key = $3 OR kind = $4 AND key = $5)`, repositoryID, tally.Tags, tag, tally.Manifests, d.String())
	if err != nil {
		return Pulled{}, Pulled{}, fmt.Errorf("look up pulls: %w", err)
	}
	type row struct{ kind, pulls, lastMS int64 }
	list, err := collect(rows, func(x *row) []any { return []any{&x.kind, &x.pulls, &x.lastMS} })
	for _, x := range list {
		into := &manifest
		if x.kind == tally.Tags {
			into = &byTag
		}
		*into = Pulled{x.pulls, db.Time(x.lastMS)}
	}
	return byTag, manifest, err
}
