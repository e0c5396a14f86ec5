package registry

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/longshore-registry/longshore/internal/db"
)

// IsBadgeToken reports whether a token is the one that shows the repository's build status without another right.
func (r *Registry) IsBadgeToken(ctx context.Context, repoID int64, token string) (bool, error) {
	var want string
	err := r.db.QueryRow(ctx, `SELECT badge_token FROM repository WHERE id = $1`, repoID).Scan(&want)
	if errors.Is(err, db.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up the badge token: %w", err)
	}
	return want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(token)) == 1, nil
}
