package registry

import (
	"context"
	"errors"

	"github.com/longshore-registry/longshore/internal/db"
)

const (
	manifestColumns = `m.id, m.digest, m.media_type, m.size, m.subject, m.artifact_type, m.config_type, m.layers_size`

	manifestByDigest = `SELECT ` + manifestColumns + `, c.bytes, NULL FROM manifest m
		JOIN repo_manifest rm ON rm.repo_id = $1 AND rm.manifest_id = m.id AND rm.deleted_ms IS NULL
		JOIN manifest_content c ON c.manifest_id = m.id
		WHERE m.digest = $2`
	// A live tag's manifest is readable: whoever deletes one ends its tags in the same transaction.
	manifestByTag = `SELECT ` + manifestColumns + `, c.bytes, t.expires_ms FROM tag t
		JOIN manifest m ON m.id = t.manifest_id
		JOIN manifest_content c ON c.manifest_id = m.id
		WHERE t.repo_id = $1 AND t.name = $2`
)

// Manifest reads a manifest with its bytes, in one query. NotFound: MANIFEST_UNKNOWN, or TAG_EXPIRED for a tag that
// only the history has.
//
// By digest a manifest is readable as long as it is in the repository and was not deleted, whatever happened to its
// tags. Whether a tag has expired is decided here, not by the worker that clears it away.
func (r *Registry) Manifest(ctx context.Context, repo Repository, ref Reference) (Manifest, error) {
	if !ref.Digest.IsZero() {
		m, err := scanManifest(r.db.QueryRow(ctx, manifestByDigest, repo.ID, ref.Digest), nil)
		if errors.Is(err, db.ErrNoRows) {
			err = manifestUnknown(ref)
		}
		return m, err
	}
	var expires *int64
	m, err := scanManifest(r.db.QueryRow(ctx, manifestByTag, repo.ID, ref.Tag), &expires)
	switch {
	case errors.Is(err, db.ErrNoRows):
		return Manifest{}, r.absent(ctx, repo, ref)
	case err == nil && expires != nil && *expires <= r.now():
		return Manifest{}, tagExpired(ref.Tag)
	}
	return m, err
}

// absent says why a tag has no row.
func (r *Registry) absent(ctx context.Context, repo Repository, ref Reference) error {
	var found int
	err := r.db.QueryRow(ctx, `SELECT 1 FROM tag_history WHERE repo_id = $1 AND name = $2 LIMIT 1`, repo.ID, ref.Tag).Scan(&found)
	switch {
	case errors.Is(err, db.ErrNoRows):
		return manifestUnknown(ref)
	case err != nil:
		return err
	}
	return tagExpired(ref.Tag)
}

func scanManifest(row db.Row, expires **int64) (Manifest, error) {
	var m Manifest
	var artifactType, configType *string
	var layers *int64
	if expires == nil {
		expires = new(*int64)
	}
	err := row.Scan(&m.ID, &m.Digest, &m.MediaType, &m.Size, &m.Subject, &artifactType, &configType, &layers, &m.Bytes, expires)
	if err != nil {
		return Manifest{}, err
	}
	m.ArtifactType, m.ConfigType = deref(artifactType), deref(configType)
	if layers != nil {
		m.LayersSize = *layers
	}
	return m, nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
