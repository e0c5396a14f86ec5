package registry

import (
	"cmp"
	"context"
	"slices"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/registry/manifest"
)

// A page of referrers ends after so many entries, or so many bytes of manifests, since their annotations are part of
// the answer. Few clients ask for a second page, so the first is large.
const (
	referrersPage  = 1000
	referrersBytes = 8 << 20
)

const (
	referrerColumns = `SELECT m.id, m.media_type, m.digest, m.size, COALESCE(m.artifact_type, m.config_type, '') `
	referrerFilter  = ` AND ($4 = '' OR COALESCE(m.artifact_type, m.config_type) = $4)`

	// Ordered by the index's columns: by the manifest alone, SQLite would walk the whole repository.
	referrersBySubject = referrerColumns + `FROM repo_manifest rm JOIN manifest m ON m.id = rm.manifest_id
		WHERE rm.repo_id = $1 AND rm.subject = $2 AND rm.manifest_id > $3 AND rm.deleted_ms IS NULL` + referrerFilter + `
		ORDER BY rm.subject, rm.manifest_id LIMIT $5`
	referrersByTag = referrerColumns + `FROM tag t
		JOIN manifest_child c ON c.repo_id = t.repo_id AND c.parent_id = t.manifest_id
		JOIN manifest m ON m.digest = c.child
		JOIN repo_manifest rm ON rm.repo_id = t.repo_id AND rm.manifest_id = m.id AND rm.deleted_ms IS NULL
		WHERE t.repo_id = $1 AND t.name = $2 AND m.id > $3 AND (t.expires_ms IS NULL OR t.expires_ms > $6)` + referrerFilter + `
		ORDER BY m.id LIMIT $5`
)

// Referrers lists the readable manifests whose subject has the digest, whether or not it is in the repository, in the
// order they came; with them those that an index under the digest's referrers tag names (distribution-spec v1.1.1,
// "Referrers Tag Schema"). artifactType restricts the list unless it is empty. after is 0, or the next of the page
// before; next is 0 when there is no more.
func (r *Registry) Referrers(ctx context.Context, repo Repository, subject digest.Digest, artifactType string, after int64) (list []Descriptor, next int64, err error) {
	bySubject, err := r.referrers(ctx, referrersBySubject, repo.ID, subject, after, artifactType, referrersPage+1)
	if err != nil {
		return nil, 0, err
	}
	byTag, err := r.referrers(ctx, referrersByTag, repo.ID, referrersTag(subject), after, artifactType, referrersPage+1, r.now())
	if err != nil {
		return nil, 0, err
	}
	page, more := referrersOf(bySubject, byTag)
	if list, err = r.describe(ctx, page); err != nil || !more {
		return list, 0, err
	}
	return list, page[len(page)-1].id, nil
}

// referrersTag is the name of a digest's referrers tag: algorithm and hash, of which at most 32 and 64 characters.
func referrersTag(d digest.Digest) string {
	encoded := d.Hex()
	return d.Algorithm().String() + "-" + encoded[:min(len(encoded), 64)]
}

// referrer is an entry of the list before its annotations are read.
type referrer struct {
	id   int64
	desc Descriptor
}

func (r *Registry) referrers(ctx context.Context, query string, args ...any) ([]referrer, error) {
	found, err := r.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	var all []referrer
	var x referrer
	var d digest.Digest
	err = each(found, func() {
		x.desc.Digest = d.String()
		all = append(all, x)
	}, &x.id, &x.desc.MediaType, &d, &x.desc.Size, &x.desc.ArtifactType)
	return all, err
}

// referrersOf merges two lists into a page, and reports whether there are more.
func referrersOf(bySubject, byTag []referrer) (page []referrer, more bool) {
	all := append(bySubject, byTag...)
	slices.SortFunc(all, func(a, b referrer) int { return cmp.Compare(a.id, b.id) })
	all = slices.CompactFunc(all, func(a, b referrer) bool { return a.id == b.id })
	var bytes int64
	for i, x := range all {
		bytes += x.desc.Size
		if i == referrersPage || i > 0 && bytes > referrersBytes {
			return all[:i], true
		}
	}
	return all, false
}

// describe reads the annotations of a page from the manifests' bytes.
func (r *Registry) describe(ctx context.Context, page []referrer) ([]Descriptor, error) {
	list := make([]Descriptor, len(page))
	at := make(map[int64]int, len(page))
	ids := make([]any, len(page))
	for i, x := range page {
		list[i], at[x.id], ids[i] = x.desc, i, x.id
	}
	for batch := range batches(ids) {
		found, err := r.db.Query(ctx, `SELECT manifest_id, bytes FROM manifest_content WHERE manifest_id IN (`+values(1, len(batch))+`)`, batch...)
		if err != nil {
			return nil, err
		}
		if err := annotate(found, list, at); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func annotate(found db.Rows, list []Descriptor, at map[int64]int) error {
	var id int64
	var bytes []byte
	return each(found, func() { list[at[id]].Annotations = manifest.Annotations(bytes) }, &id, &bytes)
}
