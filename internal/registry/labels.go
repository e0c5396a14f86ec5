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
	expiresAfter  = "quay.expires-after" // the label that ends a tag by itself
	staysPut      = "quay.immutable"     // the label that keeps a tag where it is
	maxLabels     = 1000                 // of one manifest; more, in the order of their keys, are not kept as labels
	labelManifest = 1                    // the stored value of manifest_label.source for labels read from a manifest
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

// commonLabelsTx gives the labels that all children of an index have with the same value. A child that is not here,
// or is an index itself, has none.
func commonLabelsTx(ctx context.Context, tx db.Tx, repo Repository, doc *manifest.Document) (map[string]string, error) {
	var common map[string]string
	seen := map[digest.Digest]bool{}
	for _, child := range doc.Manifests {
		if seen[child.Digest] {
			continue
		}
		seen[child.Digest] = true
		labels, err := childLabelsTx(ctx, tx, repo, child.Digest)
		if err != nil {
			return nil, err
		}
		if common == nil {
			common = labels
		}
		maps.DeleteFunc(common, func(key, value string) bool {
			other, has := labels[key]
			return !has || other != value
		})
		if len(common) == 0 {
			return nil, nil
		}
	}
	return common, nil
}

func childLabelsTx(ctx context.Context, tx db.Tx, repo Repository, child digest.Digest) (map[string]string, error) {
	found, err := tx.Query(ctx, `SELECT l.key, l.value FROM manifest m
		JOIN manifest_label l ON l.repo_id = $1 AND l.manifest_id = m.id AND l.source = 1
		WHERE m.digest = $2 AND m.kind NOT IN (2, 4)`, repo.ID, child)
	if err != nil {
		return nil, err
	}
	labels := map[string]string{}
	var key, value string
	err = each(found, func() { labels[key] = value }, &key, &value)
	return labels, err
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
