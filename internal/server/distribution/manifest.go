package distribution

import (
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

// getManifest answers GET and HEAD /v2/{name}/manifests/{reference} with the stored bytes, whatever Accept says:
// nothing is converted, so that what is pulled has the digest that was pushed.
func (q *request) getManifest() error {
	m, err := q.options.Registry.Manifest(q.r.Context(), q.place.repository, registry.Reference{Tag: q.target.tag, Digest: q.target.digest})
	if err != nil {
		return err
	}
	header := q.w.Header()
	header.Set("Docker-Content-Digest", m.Digest.String())
	header.Set("ETag", `"`+m.Digest.String()+`"`)
	if matchesETag(q.r.Header.Get("If-None-Match"), header.Get("ETag")) {
		q.w.WriteHeader(http.StatusNotModified)
		return nil
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
	body, err := q.readManifest()
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
	ctx := q.r.Context()
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
	q.empty(http.StatusCreated)
	return nil
}

// readManifest reads the body within the limit. Some of what is over it is read, too: a client that is cut off while it
// writes sees a broken connection instead of the answer.
func (q *request) readManifest() ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(q.r.Body, q.options.ManifestBytes+1))
	switch {
	case err != nil:
		return nil, problem.Wrap(err, problem.Invalid, "the manifest could not be read to its end").WithCode("MANIFEST_INVALID")
	case int64(len(body)) > q.options.ManifestBytes:
		_, _ = io.CopyN(io.Discard, q.r.Body, 4*q.options.ManifestBytes)
		return nil, problem.New(problem.TooLarge, "the manifest is larger than the %d bytes that are allowed", q.options.ManifestBytes).WithCode("MANIFEST_INVALID")
	}
	return body, nil
}

// deleteManifest answers DELETE /v2/{name}/manifests/{reference}: a tag ends alone, a digest takes its tags along.
func (q *request) deleteManifest() error {
	var err error
	if q.target.tag != "" {
		err = q.options.Registry.DeleteTag(q.r.Context(), q.place.repository, q.target.tag)
	} else {
		_, err = q.options.Registry.DeleteManifest(q.r.Context(), q.place.repository, q.target.digest)
	}
	if err != nil {
		return err
	}
	q.empty(http.StatusAccepted)
	return nil
}
