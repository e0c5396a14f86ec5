package registry

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry/manifest"
)

// Push is a manifest that somebody pushes.
type Push struct {
	Tags        []string         // may be empty when Digest is set
	Digest      digest.Digest    // zero when pushed by tag
	Algorithm   digest.Algorithm // of the digest to be made when pushed by tag; 0 for sha256
	ContentType string           // the request's header; parameters are ignored
	Bytes       []byte
	AccountID   int64 // 0 for a credential without account
}

// Pushed is the answer to a push.
type Pushed struct {
	Digest    digest.Digest
	Subject   digest.Digest // for OCI-Subject; zero when there is none
	MediaType string
	Tags      []string // in the order of the request, without repetitions
}

// candidate is a push that passed every check for which the repository is not needed.
type candidate struct {
	doc     *manifest.Document
	digest  digest.Digest
	bytes   []byte
	tags    []string
	account int64
	known   bool              // the repository has the manifest already, and so its labels
	labels  map[string]string // of the manifest, when it is not known and no index
}

// errMoved ends a transaction whose preparation was overtaken by another one.
var errMoved = errors.New("the repository changed between preparation and transaction")

// CheckPush says what can be said about a push before anything is created: tags, limits, media type, form, digest and
// allow-list. Push includes it.
func (r *Registry) CheckPush(namespace string, p Push) error {
	_, err := r.check(namespace, p)
	return err
}

func (r *Registry) check(namespace string, p Push) (*candidate, error) {
	tags, err := r.checkTags(p)
	if err != nil {
		return nil, err
	}
	doc, err := manifest.Parse(p.Bytes, p.ContentType, r.limits.Manifest)
	if err != nil {
		return nil, err
	}
	algorithm := p.Algorithm
	if !p.Digest.IsZero() {
		algorithm = p.Digest.Algorithm()
	} else if algorithm == 0 {
		algorithm = digest.SHA256
	}
	sum := algorithm.Of(p.Bytes)
	if !p.Digest.IsZero() && p.Digest != sum {
		return nil, manifest.Refuse(problem.Invalid, "manifest digest mismatch: the content has %s", sum)
	}
	if err := r.policy.Check(namespace, doc); err != nil {
		return nil, err
	}
	return &candidate{doc: doc, digest: sum, bytes: p.Bytes, tags: tags, account: p.AccountID}, nil
}

func (r *Registry) checkTags(p Push) ([]string, error) {
	if len(p.Tags) == 0 && p.Digest.IsZero() {
		return nil, tagInvalid(problem.Invalid, "")
	}
	if len(p.Tags) > r.limits.TagsPerPush {
		return nil, problem.New(problem.TooLarge, "too many tags requested: %d, at most %d are allowed",
			len(p.Tags), r.limits.TagsPerPush).WithCode("TOO_MANY_TAGS_REQUESTED")
	}
	var tags []string
	for _, tag := range p.Tags {
		if !ValidTag(tag) {
			return nil, tagInvalid(problem.Invalid, tag)
		}
		if !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return tags, nil
}

// Push stores a manifest with its references, labels and tags, in one hard transaction. When it returns nil all of it
// is on disk, else nothing of it is there.
//
// Errors: those of CheckPush; MANIFEST_BLOB_UNKNOWN for a blob or child that is not in the repository; NAME_UNKNOWN
// when the repository was deleted; Conflict when its state changed since it was read.
//
// Each push of a tag starts a new period of it, also with the digest it has already, and what the label
// quay.expires-after says counts from there. So the retry of a push whose answer was lost adds a period of the same
// manifest, which changes nothing for anyone who pulls.
func (r *Registry) Push(ctx context.Context, repo Repository, p Push) (Pushed, error) {
	c, err := r.check(repo.Namespace, p)
	if err != nil {
		return Pushed{}, err
	}
	// Blobs and manifests are not locked while they are looked at, only when they are linked: a foreign key that
	// fails means that the collector was faster. The second run then finds what is missing and says so.
	for range 2 {
		if err = r.prepare(ctx, repo, c); err != nil {
			return Pushed{}, err
		}
		err = r.db.Hard(ctx, "push manifest", func(ctx context.Context, tx db.Tx) error {
			return r.pushTx(ctx, tx, repo, c)
		})
		if err == nil {
			return Pushed{Digest: c.digest, Subject: c.doc.Subject, MediaType: c.doc.MediaType, Tags: c.tags}, nil
		}
		if !overtaken(err) {
			return Pushed{}, err
		}
	}
	busy := problem.Wrap(err, problem.Unavailable, "content of the manifest is being removed and pushed at the same time: push again")
	busy.RetryAfter = time.Second
	return Pushed{}, busy
}

// overtaken reports whether a push met the removal of something that it had seen.
func overtaken(err error) bool {
	return errors.Is(err, errMoved) || db.IsForeignKey(err) || problem.HasCode(err, "BLOB_UNKNOWN")
}

// prepare reads what the transaction needs and would read too slowly itself: the image's config, from the blob store.
func (r *Registry) prepare(ctx context.Context, repo Repository, c *candidate) error {
	c.known, c.labels = false, nil
	var found int
	err := r.db.QueryRow(ctx, `SELECT 1 FROM manifest m JOIN repo_manifest rm ON rm.repo_id = $1 AND rm.manifest_id = m.id
		WHERE m.digest = $2`, repo.ID, c.digest).Scan(&found)
	if err == nil {
		c.known = true
		return nil
	}
	if !errors.Is(err, db.ErrNoRows) || c.doc.Kind.IsIndex() {
		return ignoreNoRows(err)
	}
	c.labels, err = r.readLabels(ctx, repo, c.doc)
	return err
}

// ignoreNoRows is for queries where no row is an answer.
func ignoreNoRows(err error) error {
	if errors.Is(err, db.ErrNoRows) {
		return nil
	}
	return err
}
