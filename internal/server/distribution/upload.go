package distribution

import (
	"context"
	"net/http"
	"net/url"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// startUpload answers POST /v2/{name}/blobs/uploads/: a mount if one is asked for and possible, a whole blob if the
// request brings one (?digest=), else a new upload.
func (q *request) startUpload() error {
	start, err := parseStart(q.r.URL.Query())
	if err != nil {
		return err
	}
	ctx := q.r.Context()
	if err := q.makeRepository(ctx); err != nil {
		return err
	}
	if !start.mount.IsZero() {
		blob, mounted, err := q.mount(ctx, start.mount, start.from)
		if err != nil {
			return err
		}
		if mounted {
			q.created(blob.Digest)
			return nil
		}
	}
	upload, err := q.options.Content.Start(ctx, q.owner(), start.algorithm)
	if err != nil {
		return err
	}
	if !start.whole.IsZero() {
		return q.finishWhole(ctx, upload, start.whole)
	}
	q.progress(http.StatusAccepted, upload)
	return nil
}

// start is what the query of a POST asks for.
type start struct {
	whole     digest.Digest // the body is this blob
	mount     digest.Digest // try this blob of another repository first
	from      string        // the other repository, empty for any
	algorithm digest.Algorithm
}

// parseStart reads the query. A digest that cannot be mounted because it is none, or one of an algorithm unknown here,
// means an ordinary upload, as for every mount that fails.
func parseStart(query url.Values) (start, error) {
	s := start{from: query.Get("from"), algorithm: digest.SHA256}
	var err error
	if text := query.Get("mount"); text != "" {
		if s.mount, err = digest.Parse(text); err == nil {
			s.algorithm = s.mount.Algorithm()
		}
	}
	if name := query.Get("digest-algorithm"); name != "" {
		if s.algorithm, err = digest.ParseAlgorithm(name); err != nil {
			return s, problem.New(problem.Invalid, "%s", err.Error()).WithCode("DIGEST_INVALID")
		}
	}
	if text := query.Get("digest"); text != "" {
		if s.whole, err = parseDigest(text); err != nil {
			return s, err
		}
		s.algorithm = s.whole.Algorithm()
	}
	return s, nil
}

// finishWhole takes the body of a POST as the whole blob. The client never learns of the upload, so that it must not
// outlive the request when something goes wrong.
func (q *request) finishWhole(ctx context.Context, upload content.Upload, want digest.Digest) error {
	blob, err := q.options.Content.Finish(ctx, q.owner(), upload.ID, content.Chunk{From: -1, To: -1, Body: q.r.Body, Complete: q.again}, want)
	if err != nil {
		if cancelErr := q.options.Content.Cancel(context.WithoutCancel(ctx), q.owner(), upload.ID); cancelErr != nil && !problem.Is(cancelErr, problem.NotFound) {
			q.options.Log.WarnContext(ctx, "an upload was left behind until it expires", "upload", upload.ID, "error", cancelErr)
		}
		return err
	}
	q.created(blob.Digest)
	return nil
}

// uploadStatus answers GET /v2/{name}/blobs/uploads/{id}.
func (q *request) uploadStatus() error {
	upload, err := q.options.Content.Status(q.r.Context(), q.owner(), q.target.reference)
	if err != nil {
		return err
	}
	q.progress(http.StatusNoContent, upload)
	return nil
}

// appendUpload answers PATCH /v2/{name}/blobs/uploads/{id}.
func (q *request) appendUpload() error {
	chunk, err := q.chunk()
	if err != nil {
		return err
	}
	upload, err := q.options.Content.Append(q.r.Context(), q.owner(), q.target.reference, chunk)
	if err != nil {
		return q.outOfOrder(upload, err)
	}
	q.progress(http.StatusAccepted, upload)
	return nil
}

// finishUpload answers PUT /v2/{name}/blobs/uploads/{id}?digest=, which may bring the last chunk.
func (q *request) finishUpload() error {
	text := q.r.URL.Query().Get("digest")
	if text == "" {
		return problem.New(problem.Invalid, "the parameter digest is missing").
			WithCode("BLOB_UPLOAD_INVALID").WithDetail(map[string]string{"reason": "Missing digest arg on monolithic upload"})
	}
	want, err := parseDigest(text)
	if err != nil {
		return err
	}
	chunk, err := q.chunk()
	if err != nil {
		return err
	}
	ctx := q.r.Context()
	chunk.Complete = q.again
	blob, err := q.options.Content.Finish(ctx, q.owner(), q.target.reference, chunk, want)
	if problem.Is(err, problem.RangeInvalid) {
		upload, statusErr := q.options.Content.Status(ctx, q.owner(), q.target.reference)
		if statusErr != nil {
			return statusErr
		}
		return q.outOfOrder(upload, err)
	}
	if err != nil {
		return err
	}
	q.created(blob.Digest)
	return nil
}

// cancelUpload answers DELETE /v2/{name}/blobs/uploads/{id}.
func (q *request) cancelUpload() error {
	if err := q.options.Content.Cancel(q.r.Context(), q.owner(), q.target.reference); err != nil {
		return err
	}
	q.empty(http.StatusNoContent)
	return nil
}

// owner binds uploads to the repository and to whoever started them: to anybody else they do not exist.
func (q *request) owner() content.Owner {
	return content.Owner{RepositoryID: q.place.repository.ID, AccountID: q.principal.Account.ID, Actor: q.principal.Actor()}
}

func (q *request) chunk() (content.Chunk, error) {
	first, last, err := parseContentRange(q.r.Header.Get("Content-Range"))
	return content.Chunk{From: first, To: last, Body: q.r.Body}, err
}

// progress says where an upload goes on and how much of it is kept.
func (q *request) progress(status int, upload content.Upload) {
	q.describeUpload(upload)
	q.empty(status)
}

// outOfOrder adds to a 416 answer what the client needs to go on.
func (q *request) outOfOrder(upload content.Upload, err error) error {
	if problem.Is(err, problem.RangeInvalid) {
		upload.ID = q.target.reference
		q.describeUpload(upload)
	}
	return err
}

func (q *request) describeUpload(upload content.Upload) {
	header := q.w.Header()
	header.Set("Location", q.repositoryPath()+"/blobs/uploads/"+url.PathEscape(upload.ID))
	header.Set("Range", received(upload.Received))
	header.Set("Docker-Upload-UUID", upload.ID)
}

// created says that a blob is here now.
func (q *request) created(d digest.Digest) {
	header := q.w.Header()
	header.Set("Location", q.repositoryPath()+"/blobs/"+d.String())
	header.Set("Docker-Content-Digest", d.String())
	q.empty(http.StatusCreated)
}

// repositoryPath begins the addresses of what is in the repository. They are relative and spell the repository as the
// client did, so that they hold behind any proxy.
func (q *request) repositoryPath() string { return "/v2/" + q.target.path }
