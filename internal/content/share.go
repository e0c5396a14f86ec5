package content

import (
	"context"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// reviewBlob is the kind of a review row that asks the collector to look at a blob.
const reviewBlob = 3

// Mount makes a blob that is visible in one repository visible in another; false when it is not visible in the first
// or its bytes are not there. Whether the caller may read the first is the caller's to check. One statement looks and
// writes, so nothing can come in between but the collector, whom the foreign key keeps out.
func (s *Store) Mount(ctx context.Context, d digest.Digest, from, to int64) (Blob, bool, error) {
	f, err := s.sound(ctx, from, d)
	if err == nil {
		err = s.db.Hard(ctx, "mount blob", func(ctx context.Context, tx db.Tx) error {
			s.memory.forget(tx, to, d)
			n, err := tx.Exec(ctx, `INSERT INTO blob_ref (repo_id, blob_id, manifest_id, lease_ms)
				SELECT CAST($1 AS BIGINT), b.id, 0, CAST($2 AS BIGINT) FROM blob b WHERE b.id = $3 AND `+visibleIn("$4")+`
				ON CONFLICT (repo_id, blob_id, manifest_id) DO UPDATE SET lease_ms =
					CASE WHEN blob_ref.lease_ms < excluded.lease_ms THEN excluded.lease_ms ELSE blob_ref.lease_ms END`,
				to, s.leaseEnd(), f.ID, from)
			if err == nil && n == 0 {
				err = blobUnknown(d)
			}
			return err
		})
	}
	if problem.HasCode(err, "BLOB_UNKNOWN") || db.IsForeignKey(err) {
		return Blob{}, false, nil
	}
	return f.Blob, err == nil, err
}

// RepositoriesWith gives some repositories in which a blob is visible, those with the newest references first. It is
// for finding one that the caller may read. A popular blob has references without number: a thousand are looked at.
func (s *Store) RepositoriesWith(ctx context.Context, d digest.Digest, limit int) ([]int64, error) {
	rows, err := s.db.Query(ctx, `SELECT f.repo_id FROM (
			SELECT r.repo_id AS repo_id, r.manifest_id AS manifest_id FROM blob b JOIN blob_ref r ON r.blob_id = b.id
			WHERE b.digest = $1 AND `+showing+` LIMIT 1000) AS f
		GROUP BY f.repo_id ORDER BY MAX(f.manifest_id) DESC, f.repo_id DESC LIMIT $2`, d, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		list = append(list, id)
	}
	return list, rows.Err()
}

// Unlink removes a blob from a repository: it is unknown there from then on. Unsupported while a readable manifest of
// the repository names it, BLOB_UNKNOWN. A deleted manifest that the history keeps holds on to the blob, hidden: see
// visibleIn. The repository's lock is taken alone, so no push is between its look at the blob and its commit.
func (s *Store) Unlink(ctx context.Context, repositoryID int64, d digest.Digest) error {
	return s.db.Hard(ctx, "remove blob from repository", func(ctx context.Context, tx db.Tx) error {
		if err := tx.Lock(ctx, db.LockRepository, repositoryID, db.Exclusive); err != nil {
			return err
		}
		var id int64
		err := tx.QueryRow(ctx, `SELECT b.id FROM blob b WHERE b.digest = $2 AND `+visibleIn("$1"), repositoryID, d).Scan(&id)
		if noRows(err) {
			return blobUnknown(d)
		}
		if err != nil {
			return err
		}
		if err := refuseUsedTx(ctx, tx, repositoryID, id, d); err != nil {
			return err
		}
		s.memory.forget(tx, repositoryID, d)
		return s.unlinkTx(ctx, tx, repositoryID, id)
	})
}

// refuseUsedTx names a readable manifest that uses the blob, if there is one.
func refuseUsedTx(ctx context.Context, tx db.Tx, repositoryID, blobID int64, d digest.Digest) error {
	var by digest.Digest
	err := tx.QueryRow(ctx, `SELECT m.digest FROM blob_ref r
		JOIN repo_manifest rm ON rm.repo_id = r.repo_id AND rm.manifest_id = r.manifest_id AND rm.deleted_ms IS NULL
		JOIN manifest m ON m.id = rm.manifest_id
		WHERE r.repo_id = $1 AND r.blob_id = $2 AND r.manifest_id > 0 ORDER BY r.manifest_id LIMIT 1`, repositoryID, blobID).Scan(&by)
	if noRows(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return problem.New(problem.Unsupported, "blob %s is used by manifest %s of this repository: delete that first", d, by).WithCode("UNSUPPORTED")
}

// unlinkTx ends the lease, hides what the history keeps, and asks for a review when nothing is left.
func (s *Store) unlinkTx(ctx context.Context, tx db.Tx, repositoryID, blobID int64) error {
	for _, statement := range []string{
		`DELETE FROM blob_ref WHERE repo_id = $1 AND blob_id = $2 AND manifest_id = 0`,
		`UPDATE blob_ref SET lease_ms = -1 WHERE repo_id = $1 AND blob_id = $2 AND manifest_id > 0`,
	} {
		if _, err := tx.Exec(ctx, statement, repositoryID, blobID); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `INSERT INTO review (kind, repo_id, item_id, due_ms)
		SELECT CAST($2 AS INTEGER), 0, CAST($1 AS BIGINT), CAST($3 AS BIGINT) WHERE NOT EXISTS (SELECT 1 FROM blob_ref WHERE blob_id = $1)
		ON CONFLICT (kind, repo_id, item_id) DO NOTHING`, blobID, reviewBlob, s.nowMs())
	return err
}
