package registry

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry/manifest"
)

const (
	expiresAfter   = "quay.expires-after" // the label that ends a tag by itself
	staysPut       = "quay.immutable"     // the label that keeps a tag where it is
	maxLabels      = 1000                 // of one manifest; more, in the order of their keys, are not kept as labels
	maxCommonRows  = 20_000               // labels of an index's children that are compared: 100 children with 200 each
	maxCommonValue = 4096                 // characters
	labelManifest  = 1                    // the stored value of manifest_label.source for labels read from a manifest
)

// readLabels collects an image's labels: those of its config and its annotations, of which the latter win. Other
// artifacts have annotations only. A config that is not in the repository is left to the transaction to report.
func (r *Registry) readLabels(ctx context.Context, repo Repository, doc *manifest.Document) (map[string]string, error) {
	labels := map[string]string{}
	if manifest.ImageConfig(doc.Config.MediaType) && doc.Config.Size <= r.limits.ConfigBytes {
		config, err := r.content.Bytes(ctx, repo.ID, doc.Config.Digest, r.limits.ConfigBytes)
		if err != nil && !problem.Is(err, problem.NotFound) && !problem.Is(err, problem.TooLarge) {
			return nil, err
		}
		maps.Copy(labels, manifest.ConfigLabels(config))
	}
	maps.Copy(labels, doc.Annotations)
	if len(labels) > maxLabels {
		r.log.WarnContext(ctx, "a manifest has more labels than are kept", "repository", repo.Path(), "labels", len(labels), "kept", maxLabels)
	}
	return labels, nil
}

// labelsOfChildren is all labels of the children of an index, child by child, but for long ones.
const labelsOfChildren = `SELECT c.child, l.key, l.value FROM manifest_child c
	JOIN manifest m ON m.digest = c.child AND m.kind NOT IN (2, 4)
	JOIN manifest_label l ON l.repo_id = $1 AND l.manifest_id = m.id AND l.source = 1 AND LENGTH(l.value) <= $3
	WHERE c.repo_id = $1 AND c.parent_id = $2 ORDER BY c.child LIMIT $4`

// commonLabelsTx gives the labels that all children of an index have with the same value. A child that is not here,
// or is an index itself, has none. It is one query in which nobody waits for more than maxCommonRows labels: an index
// whose children have more has none of its own, nor one with a value of more than maxCommonValue characters.
func commonLabelsTx(ctx context.Context, tx db.Tx, repo Repository, id int64, doc *manifest.Document) (map[string]string, error) {
	children := map[digest.Digest]bool{}
	for _, child := range doc.Manifests {
		children[child.Digest] = true
	}
	found, err := tx.Query(ctx, labelsOfChildren, repo.ID, id, maxCommonValue, maxCommonRows)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var common, own map[string]string // of the children before, and of this one
	var last, child digest.Digest
	seen := 0
	for found.Next() {
		var key, value string
		if err := found.Scan(&child, &key, &value); err != nil {
			return nil, err
		}
		if child != last {
			if common = both(common, own); common != nil && len(common) == 0 {
				return nil, nil
			}
			last, own = child, map[string]string{}
			seen++
		}
		own[key] = value
	}
	if err := found.Err(); err != nil || seen < len(children) {
		return nil, err
	}
	return both(common, own), nil
}

// both gives what two have in common; nil has everything.
func both(a, b map[string]string) map[string]string {
	if a == nil {
		return b
	}
	maps.DeleteFunc(a, func(key, value string) bool {
		other, has := b[key]
		return !has || other != value
	})
	return a
}

// insertLabelsTx keeps the labels of a manifest that is new in the repository. PostgreSQL's text cannot hold NUL.
func insertLabelsTx(ctx context.Context, tx db.Tx, repo Repository, id int64, labels map[string]string) error {
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(labels)), func(key string) bool {
		return key == "" || strings.Contains(key+labels[key], "\x00")
	})
	for batch := range batches(keys[:min(len(keys), maxLabels)]) {
		var args []any
		for i, key := range batch {
			if i > 0 && key == batch[i-1] {
				args = append(args, args[len(args)-7:]...) // padding: the same row again
				continue
			}
			args = append(args, uuid.NewString(), repo.ID, id, key, labels[key], manifest.LabelType(labels[key]), labelManifest)
		}
		if _, err := tx.Exec(ctx, `INSERT INTO manifest_label (uuid, repo_id, manifest_id, key, value, media_type, source)
			VALUES `+rows(len(batch), 7)+` ON CONFLICT (uuid) DO NOTHING`, args...); err != nil {
			return err
		}
	}
	return nil
}

// wishesTx is what a manifest's own labels ask for its tags: how long they live, clamped to what is allowed, 0 for ever;
// and whether they stay where they are.
func (r *Registry) wishesTx(ctx context.Context, tx db.Tx, repo Repository, id int64) (lifetime time.Duration, immutable bool, err error) {
	found, err := tx.Query(ctx, `SELECT key, value FROM manifest_label WHERE repo_id = $1 AND manifest_id = $2
		AND key IN ('`+expiresAfter+`', '`+staysPut+`') AND source = 1 ORDER BY uuid DESC`, repo.ID, id)
	if err != nil {
		return 0, false, err
	}
	var key, value string
	err = each(found, func() {
		if key == staysPut {
			immutable = strings.EqualFold(value, "true")
			return
		}
		lifetime = 0
		if asked, ok := parseLifetime(value); ok {
			lifetime = min(max(asked, r.expiry.Min), r.expiry.Max)
		}
	}, &key, &value)
	return lifetime, immutable, err
}

// parseLifetime reads a number of seconds, minutes, hours, days or weeks, such as "12h".
func parseLifetime(s string) (time.Duration, bool) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if len(s) < 2 || strings.Trim(s[:len(s)-1], "0123456789") != "" {
		return 0, false
	}
	unit, known := units[s[len(s)-1]]
	if !known {
		return 0, false
	}
	const forever = 1 << 62 // above every maximum
	n, err := strconv.ParseInt(s[:len(s)-1], 10, 64)
	if err != nil || n > forever/int64(unit) {
		return forever, true
	}
	return time.Duration(n) * unit, true
}
