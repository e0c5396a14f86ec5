package distribution

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
	"github.com/longshore-registry/longshore/internal/server/intake"
)

// getManifest answers GET and HEAD /v2/{name}/manifests/{reference} with the stored bytes, whatever Accept says:
// nothing is converted, so that what is pulled has the digest that was pushed.
func (q *request) getManifest() error {
	m, err := q.options.Registry.Manifest(q.r.Context(), q.place.repository, registry.Reference{Tag: q.target.tag, Digest: q.target.digest})
	if err != nil {
		return err
	}
	if len(m.Bytes) > intake.SmallBody && q.r.Method == http.MethodGet {
		if m.Bytes, err = q.rec.Intake.Send(q.payer(), m.Digest, m.Bytes); err != nil {
			return err
		}
	}
	header, name := q.w.Header(), m.Digest.String()
	if err := q.pulled(m.MediaType, name, m.Digest); err != nil {
		return err
	}
	if m.Stale {
		header.Set("Warning", `110 - "the database is away: the tag is as it was last seen"`) // RFC 7234, 5.5.1
	}
	etag := `"` + name + `"`
	header.Set("Docker-Content-Digest", name)
	header.Set("ETag", etag)
	if matchesETag(q.r.Header.Get("If-None-Match"), etag) {
		q.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if q.target.tag != "" && q.r.Method == http.MethodGet {
		q.tell("pull_repo", q.target.namespace, q.target.name)
	}
	header.Set("Content-Type", m.MediaType)
	header.Set("Content-Length", strconv.Itoa(len(m.Bytes)))
	q.w.WriteHeader(http.StatusOK)
	q.write(m.Bytes)
	return nil
}

// putManifest answers PUT /v2/{name}/manifests/{reference}. Further tags come as ?tag= (specification, main branch).
// What can be refused without the repository is refused before one is made for it.
func (q *request) putManifest() error {
	body, err := q.readManifest(q.r.Context())
	if err != nil {
		return err
	}
	if err := q.again(q.r.Context()); err != nil {
		return err
	}
	push := registry.Push{
		Digest:      q.target.digest,
		Algorithm:   q.target.digest.Algorithm(),
		ContentType: q.r.Header.Get("Content-Type"),
		Bytes:       body,
		AccountID:   q.principal.Account.ID,
	}
	more := q.r.URL.Query()["tag"]
	if q.target.tag != "" {
		push.Tags = []string{q.target.tag}
	}
	push.Tags = append(push.Tags, more...)
	ctx := q.acting(q.r.Context())
	if !q.place.exists() {
		if err := q.options.Registry.CheckPush(q.target.namespace, push); err != nil {
			return err
		}
	}
	if err := q.makeRepository(ctx); err != nil {
		return err
	}
	pushed, err := q.options.Registry.Push(ctx, q.place.repository, push)
	if err != nil {
		return err
	}
	header := q.w.Header()
	header.Set("Location", q.repositoryPath()+"/manifests/"+pushed.Digest.String())
	header.Set("Docker-Content-Digest", pushed.Digest.String())
	if !pushed.Subject.IsZero() {
		header.Set("OCI-Subject", pushed.Subject.String())
	}
	if len(more) > 0 {
		header["Oci-Tag"] = slices.Clone(pushed.Tags)
	}
	q.tell("push_repo", q.target.namespace, q.target.name)
	q.empty(http.StatusCreated)
	return nil
}

// readManifest reads the body within the limit, and within what the account may have in memory at once.
func (q *request) readManifest(ctx context.Context) ([]byte, error) {
	body, err := q.rec.Intake.Read(ctx, q.r.Body, intake.Body{
		Name: "manifest", Account: q.payer(), Announced: q.r.ContentLength, Limit: q.options.ManifestBytes,
	})
	var e *problem.Error
	if errors.As(err, &e) && e.Code == "" {
		e.Code = "MANIFEST_INVALID"
	}
	return body, err
}

// payer is whom the memory that the request holds is charged to: the account, and for a robot the one it belongs to.
// It is empty for nobody.
func (q *request) payer() string {
	switch {
	case q.principal.IsAnonymous():
		return ""
	case q.principal.Account.ID != 0:
		owner, _, _ := strings.Cut(q.principal.Account.Name, "+")
		return owner
	}
	return q.principal.Actor()
}

// deleteManifest answers DELETE /v2/{name}/manifests/{reference}: a tag ends alone, a digest takes its tags along.
func (q *request) deleteManifest() error {
	var err error
	ctx := q.acting(q.r.Context())
	if q.target.tag != "" {
		err = q.options.Registry.DeleteTag(ctx, q.place.repository, q.target.tag)
	} else {
		_, err = q.options.Registry.DeleteManifest(ctx, q.place.repository, q.target.digest)
	}
	if err != nil {
		return err
	}
	q.empty(http.StatusAccepted)
	return nil
}
