package registry

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry/manifest"
)

// LabelSource says who set a label. The values are stored.
type LabelSource uint8

// The sources.
const (
	FromManifest LabelSource = labelManifest // read from the image; never changes
	FromAPI      LabelSource = 2
	Internal     LabelSource = 3
)

// String is the source's name in the API.
func (s LabelSource) String() string {
	switch s {
	case FromManifest:
		return "manifest"
	case FromAPI:
		return "api"
	}
	return "internal"
}

// Label is a key with a value on a manifest of a repository.
type Label struct {
	UUID      string
	Key       string
	Value     string
	MediaType string // text/plain or application/json
	Source    LabelSource
}

// NewLabel is what AddLabel adds.
type NewLabel struct {
	Key       string
	Value     string
	MediaType string // empty: by the value
}

const maxLabelKey = 255 // bytes

const selectLabel = `SELECT l.uuid, l.key, l.value, l.media_type, l.source FROM manifest m
	JOIN repo_manifest rm ON rm.repo_id = $1 AND rm.manifest_id = m.id AND rm.deleted_ms IS NULL
	JOIN manifest_label l ON l.repo_id = $1 AND l.manifest_id = m.id
	WHERE m.digest = $2`

// Labels lists the labels of a manifest whose keys begin with a prefix, by key. MANIFEST_UNKNOWN.
func (r *Registry) Labels(ctx context.Context, repo Repository, d digest.Digest, prefix string) ([]Label, error) {
	if _, err := r.Manifest(ctx, repo, Reference{Digest: d}); err != nil {
		return nil, err
	}
	found, err := r.db.Query(ctx, selectLabel+` AND SUBSTR(l.key, 1, LENGTH(CAST($3 AS TEXT))) = $3 ORDER BY l.key, l.uuid`, repo.ID, d, prefix)
	if err != nil {
		return nil, err
	}
	var all []Label
	var l Label
	err = each(found, func() { all = append(all, l) }, &l.UUID, &l.Key, &l.Value, &l.MediaType, &l.Source)
	return all, err
}

// Label finds a label of a manifest by its identifier. NotFound for it or the manifest.
func (r *Registry) Label(ctx context.Context, repo Repository, d digest.Digest, id string) (Label, error) {
	return scanLabel(r.db.QueryRow(ctx, selectLabel+` AND l.uuid = $3`, repo.ID, d, id))
}

func scanLabel(row db.Row) (l Label, err error) {
	err = row.Scan(&l.UUID, &l.Key, &l.Value, &l.MediaType, &l.Source)
	if errors.Is(err, db.ErrNoRows) {
		return Label{}, problem.New(problem.NotFound, "the manifest has no such label")
	}
	return l, err
}

// AddLabel adds a label to a readable manifest. Invalid for a key that is malformed or reserved, a media type that labels
// cannot have, and more labels than one manifest has; MANIFEST_UNKNOWN; those of Push that concern the repository.
func (r *Registry) AddLabel(ctx context.Context, repo Repository, d digest.Digest, n NewLabel) (Label, error) {
	l, err := r.newLabel(n)
	if err != nil {
		return Label{}, err
	}
	err = r.db.Hard(ctx, "add label", func(ctx context.Context, tx db.Tx) error {
		if _, err := admitTx(ctx, tx, repo, 0, db.Shared); err != nil {
			return err
		}
		m, err := memberTx(ctx, tx, repo, d)
		if err != nil {
			return err
		}
		if m.deletedMs != nil {
			return manifestUnknown(Reference{Digest: d})
		}
		var count int
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM manifest_label WHERE repo_id = $1 AND manifest_id = $2`, repo.ID, m.id).Scan(&count); err != nil {
			return err
		}
		if count >= maxLabels {
			return problem.New(problem.Invalid, "the manifest has %d labels, more are not kept", count)
		}
		_, err = tx.Exec(ctx, `INSERT INTO manifest_label (uuid, repo_id, manifest_id, key, value, media_type, source)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, l.UUID, repo.ID, m.id, l.Key, l.Value, l.MediaType, int(l.Source))
		if err != nil {
			return err
		}
		return r.logTx(ctx, tx, "manifest_label_add", repo, map[string]any{
			"id": l.UUID, "key": l.Key, "value": l.Value, "manifest_digest": d.String(), "media_type": l.MediaType,
		})
	})
	return l, err
}

// newLabel checks a label and completes it.
func (r *Registry) newLabel(n NewLabel) (Label, error) {
	l := Label{UUID: uuid.NewString(), Key: n.Key, Value: n.Value, MediaType: n.MediaType, Source: FromAPI}
	switch n.MediaType {
	case "":
		l.MediaType = manifest.LabelType(n.Value)
	case "text/plain", "application/json":
	default:
		return l, problem.New(problem.Invalid, "media_type: a label is text/plain or application/json, not %q", clip(n.MediaType))
	}
	if !validLabelKey(n.Key) {
		return l, problem.New(problem.Invalid, "key: %q is no label key: it has 1 to %d lower-case letters and digits, with single '-' or '.' between them",
			clip(n.Key), maxLabelKey)
	}
	for _, prefix := range append(reservedLabels(), r.reserved...) {
		if strings.HasPrefix(n.Key, prefix) {
			return l, problem.New(problem.Invalid, "key: Label has a reserved prefix: %s", prefix)
		}
	}
	return l, nil
}

// reservedLabels are the beginnings of keys that mean something to somebody else (rest-api §12).
func reservedLabels() []string {
	return []string{
		"com.docker.", "io.docker.", "org.dockerproject.", "org.opencontainers.", "io.cncf.", "io.kubernetes.", "io.k8s.",
		"io.quay", "com.coreos", "com.tectonic", "internal", "quay",
	}
}

// validLabelKey is ^[a-z0-9](([a-z0-9]|[-.](?![.-]))*[a-z0-9])?$ of at most 255 bytes.
func validLabelKey(key string) bool {
	if key == "" || len(key) > maxLabelKey {
		return false
	}
	separator := true // a key begins with a letter or digit
	for i := range len(key) {
		switch c := key[i]; {
		case lowerAlphanumeric(c):
			separator = false
		case (c == '-' || c == '.') && !separator:
			separator = true
		default:
			return false
		}
	}
	return !separator
}

// DeleteLabel removes a label that the API set. NotFound; Invalid for a label of the image itself or of the registry; those of Push that
// concern the repository.
func (r *Registry) DeleteLabel(ctx context.Context, repo Repository, d digest.Digest, id string) error {
	return r.db.Hard(ctx, "delete label", func(ctx context.Context, tx db.Tx) error {
		if _, err := admitTx(ctx, tx, repo, 0, db.Shared); err != nil {
			return err
		}
		l, err := scanLabel(tx.QueryRow(ctx, selectLabel+` AND l.uuid = $3`, repo.ID, d, id))
		if err != nil {
			return err
		}
		if l.Source != FromAPI {
			return problem.New(problem.Invalid, "Cannot delete immutable label")
		}
		n, err := tx.Exec(ctx, `DELETE FROM manifest_label WHERE uuid = $1`, l.UUID)
		if err != nil || n == 0 { // somebody else has removed it, and recorded that
			return err
		}
		return r.logTx(ctx, tx, "manifest_label_delete", repo, map[string]any{
			"id": l.UUID, "key": l.Key, "value": l.Value, "manifest_digest": d.String(),
		})
	})
}
