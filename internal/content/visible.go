package content

import (
	"context"
	"fmt"
	"strings"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// What a row of blob_ref says depends on manifest_id and lease_ms:
//
//	manifest_id = 0                  a lease until lease_ms
//	manifest_id > 0, lease_ms = 0    that manifest of the repository uses the blob
//	manifest_id > 0, lease_ms = -1   the same, but the blob was removed from the repository (Unlink) while that manifest
//	                                 was deleted and only the history kept it
//
// Any row keeps the blob. A blob is visible when any row but a hidden one exists; a hidden one shows the blob again while
// its manifest is readable, for one that was restored or pushed again. So a manifest that is deleted leaves its blobs
// visible: who was promised one still finds it, at no cost to the deletion. And a blob that is removed stays removed,
// whatever the history holds: the collector gives no lease for a hidden row.

// visibleIn is the condition on a blob b that it is visible in the repository given as a parameter such as $1.
func visibleIn(repo string) string {
	return `EXISTS (SELECT 1 FROM blob_ref r WHERE r.repo_id = ` + repo + ` AND r.blob_id = b.id AND ` + showing + `)`
}

// showing is the condition on a row r of blob_ref that it makes its blob visible.
const showing = `(r.manifest_id = 0 OR r.lease_ms = 0 OR EXISTS (
	SELECT 1 FROM repo_manifest m WHERE m.repo_id = r.repo_id AND m.manifest_id = r.manifest_id AND m.deleted_ms IS NULL))`

func blobUnknown(d digest.Digest) error {
	return problem.New(problem.NotFound, "blob %s is not in this repository", d).WithCode("BLOB_UNKNOWN").
		WithDetail(map[string]string{"digest": d.String()})
}

// batch is how many values an IN list has at most. Lists come in powers of two, so that few statements are prepared.
const batch = 64

// inList gives the parameters $first, $first+1, … for an IN list of n values, and how many there are.
func inList(first, n int) (list string, width int) {
	width = 1
	for width < n {
		width *= 2
	}
	names := make([]string, width)
	for i := range names {
		names[i] = fmt.Sprintf("$%d", first+i)
	}
	return "(" + strings.Join(names, ", ") + ")", width
}

// digestArgs appends digests to arguments, the last one repeated up to width.
func digestArgs(args []any, list []digest.Digest, width int) []any {
	for i := range width {
		args = append(args, list[min(i, len(list)-1)])
	}
	return args
}

// chunks cuts a list into batches.
func chunks(list []digest.Digest) [][]digest.Digest {
	var all [][]digest.Digest
	for len(list) > batch {
		all, list = append(all, list[:batch]), list[batch:]
	}
	if len(list) > 0 {
		all = append(all, list)
	}
	return all
}

// SizesTx gives the sizes in bytes of those of the wanted blobs that are visible in a repository.
func SizesTx(ctx context.Context, tx db.Tx, repositoryID int64, want []digest.Digest) (map[digest.Digest]int64, error) {
	sizes := make(map[digest.Digest]int64, len(want))
	for _, some := range chunks(want) {
		list, width := inList(2, len(some))
		rows, err := tx.Query(ctx, `SELECT b.digest, b.size FROM blob b WHERE b.digest IN `+list+` AND `+visibleIn("$1"),
			digestArgs([]any{repositoryID}, some, width)...)
		if err != nil {
			return nil, err
		}
		if err := scanDigests(rows, sizes); err != nil {
			return nil, err
		}
	}
	return sizes, nil
}

// LinkTx records that a manifest of a repository uses blobs. The caller holds the repository's lock shared and has
// asked SizesTx in the same transaction. BLOB_UNKNOWN, or a foreign key error of the database (db.IsForeignKey), when
// one was collected meanwhile: running the transaction again tells which.
//
// The rows are inserted by the blobs' identifiers, not by a join with blob, which would leave out a blob that has just
// gone: the foreign key then refuses it.
func LinkTx(ctx context.Context, tx db.Tx, repositoryID, manifestID int64, blobs []digest.Digest) error {
	for _, some := range chunks(blobs) {
		ids, err := blobIDs(ctx, tx, some)
		if err != nil {
			return err
		}
		for _, d := range some {
			id, ok := ids[d]
			if !ok {
				return blobUnknown(d)
			}
			_, err := tx.Exec(ctx, `INSERT INTO blob_ref (repo_id, blob_id, manifest_id, lease_ms) VALUES ($1, $2, $3, 0)
				ON CONFLICT (repo_id, blob_id, manifest_id) DO UPDATE SET lease_ms = 0 WHERE blob_ref.lease_ms <> 0`,
				repositoryID, id, manifestID)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func blobIDs(ctx context.Context, tx db.Tx, some []digest.Digest) (map[digest.Digest]int64, error) {
	list, width := inList(1, len(some))
	rows, err := tx.Query(ctx, `SELECT b.digest, b.id FROM blob b WHERE b.digest IN `+list, digestArgs(nil, some, width)...)
	if err != nil {
		return nil, err
	}
	ids := make(map[digest.Digest]int64, len(some))
	return ids, scanDigests(rows, ids)
}

// scanDigests reads rows of a digest and a number, and closes them.
func scanDigests(rows db.Rows, into map[digest.Digest]int64) error {
	defer rows.Close()
	for rows.Next() {
		var d digest.Digest
		var n int64
		if err := rows.Scan(&d, &n); err != nil {
			return err
		}
		into[d] = n
	}
	return rows.Err()
}
