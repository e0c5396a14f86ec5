package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// AuthorizeEmail notes that the reader of an address agrees to be told of a repository's events, by the code that went
// to it. It gives the repository's path and the address. The code goes on to work, as in Quay: opening a link twice is
// no mistake. NotFound means that no repository waits for such a code.
func (r *Registry) AuthorizeEmail(ctx context.Context, code string) (repository, email string, err error) {
	err = r.db.Hard(ctx, "authorize repository email", func(ctx context.Context, tx db.Tx) error {
		var id int64
		err := tx.QueryRow(ctx, `UPDATE repository_authorized_email SET confirmed = 1
			WHERE code = $1 AND repo_id IN (SELECT id FROM repository WHERE deleted_ms IS NULL) RETURNING repo_id, email`, code).Scan(&id, &email)
		if errors.Is(err, db.ErrNoRows) {
			return problem.New(problem.NotFound, "The link is not known: it was withdrawn, or is not complete")
		}
		if err != nil {
			return fmt.Errorf("authorize an address for a repository: %w", err)
		}
		found, err := repositoryByID(ctx, tx, id)
		repository = found.Path()
		return err
	})
	return repository, email, err
}
