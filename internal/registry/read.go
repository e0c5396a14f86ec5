package registry

import (
	"context"
	"errors"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
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
	// For a manifest of which it is known that the repository has it.
	manifestByID = `SELECT ` + manifestColumns + `, c.bytes, NULL FROM manifest m
		JOIN manifest_content c ON c.manifest_id = m.id
		WHERE m.id = $1`
)

// Manifest reads a manifest with its bytes, which the caller must not change: from memory, or in one query. NotFound:
// MANIFEST_UNKNOWN, or TAG_EXPIRED for a tag that only the history has.
//
// By digest a manifest is readable as long as it is in the repository and was not deleted, whatever happened to its
// tags; that another process deleted it on PostgreSQL counts here within 30 s. A tag is always as of now, but while
// PostgreSQL is away it is what it was last, and the answer is Stale. Whether it has expired is decided here, not by the
// worker that clears it away. Unavailable when the database is away and the answer is not remembered.
func (r *Registry) Manifest(ctx context.Context, repo Repository, ref Reference) (Manifest, error) {
	if !ref.Digest.IsZero() {
		return r.manifestOf(ctx, repo, ref.Digest)
	}
	var m Manifest // set when it was read together with the tag
	t, stale, err := r.tag(ctx, repo, ref.Tag, &m)
	switch {
	case errors.Is(err, db.ErrNoRows):
		return Manifest{}, r.absent(ctx, repo, ref)
	case err != nil:
		return Manifest{}, err
	case t.expired(r.now()):
		return Manifest{}, tagExpired(ref.Tag)
	case m.ID != 0:
		return m, nil
	}
	m, err = r.read(ctx, ref, t.digest, t.manifestID)
	m.Stale = stale
	return m, err
}

// tag finds what a tag points at; stale says what it was when the database was last asked. db.ErrNoRows. If that took a query which gave the manifest too, it is put into m.
func (r *Registry) tag(ctx context.Context, repo Repository, name string, m *Manifest) (t tagged, stale bool, err error) {
	key := tagName{repo.ID, name}
	if r.memory.asking != nil {
		return r.memory.tags.Now(ctx, key, func(ctx context.Context) (tagged, error) { return r.memory.asking.ask(ctx, key) })
	}
	t, err = r.memory.tags.Get(ctx, key, func(ctx context.Context) (tagged, error) {
		var t tagged
		var err error
		*m, err = scanManifest(r.db.QueryRow(ctx, manifestByTag, repo.ID, name), &t.expires)
		if err != nil {
			return tagged{}, err
		}
		t.manifestID, t.digest = m.ID, m.Digest
		r.keep(*m)
		return t, nil
	})
	return t, false, err
}

// manifestOf reads a manifest by digest.
func (r *Registry) manifestOf(ctx context.Context, repo Repository, d digest.Digest) (Manifest, error) {
	ref := Reference{Digest: d}
	var m Manifest
	id, err := r.memory.members.Get(ctx, member{repo.ID, d}, func(ctx context.Context) (int64, error) {
		var err error
		m, err = scanManifest(r.db.QueryRow(ctx, manifestByDigest, repo.ID, d), nil)
		if errors.Is(err, db.ErrNoRows) {
			return 0, manifestUnknown(ref)
		}
		if err == nil {
			r.keep(m)
		}
		return m.ID, err
	})
	if err != nil {
		return Manifest{}, err
	}
	if m.ID == id {
		return m, nil
	}
	return r.read(ctx, ref, d, id)
}

// read gives a manifest that was found. Its row can have gone only if it was collected since.
func (r *Registry) read(ctx context.Context, ref Reference, d digest.Digest, id int64) (Manifest, error) {
	m, err := r.memory.manifests.Get(ctx, d, func(ctx context.Context) (Manifest, error) {
		m, err := scanManifest(r.db.QueryRow(ctx, manifestByID, id), nil)
		if errors.Is(err, db.ErrNoRows) {
			err = manifestUnknown(ref)
		}
		return m, err
	})
	m.ID = id // another one if it was collected and pushed again
	return m, err
}

// keep remembers a manifest's bytes.
func (r *Registry) keep(m Manifest) { r.memory.manifests.Keep(m.Digest, m) }

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
