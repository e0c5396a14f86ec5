package distribution

import (
	"net/http"
	"strconv"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/problem"
)

// Blobs never change, so that clients may keep them for ever; these are Quay's words for it.
const (
	blobCacheGet  = "max-age=31536000"
	blobCacheHead = "max-age=31436000"
)

// headBlob answers HEAD /v2/{name}/blobs/{digest}. To a caller who may push, "it is here" is a promise.
func (q *request) headBlob() error {
	blob, err := q.options.Content.Stat(q.r.Context(), q.place.repository.ID, q.target.digest, q.mayPush)
	if err != nil {
		return err
	}
	q.describeBlob(blob, blobCacheHead)
	q.w.Header().Set("Content-Length", strconv.FormatInt(blob.Size, 10))
	q.w.WriteHeader(http.StatusOK)
	return nil
}

// getBlob answers GET /v2/{name}/blobs/{digest}: a redirect where the storage can serve clients itself, else the bytes.
// A blob that is not there is looked for twice: its object may have gone since it was found.
func (q *request) getBlob() error {
	var err error
	for range 2 {
		if err = q.getObject(); err == nil {
			return nil
		}
		for _, described := range []string{"Docker-Content-Digest", "ETag", "Content-Type", "Accept-Ranges", "Cache-Control"} {
			q.w.Header().Del(described) // it is not what is sent
		}
		if !problem.HasCode(err, "BLOB_UNKNOWN") {
			return err
		}
	}
	return err
}

func (q *request) getObject() error {
	ctx := q.r.Context()
	blob, err := q.options.Content.Stat(ctx, q.place.repository.ID, q.target.digest, false)
	if err != nil {
		return err
	}
	q.describeBlob(blob, blobCacheGet)
	if matchesETag(q.r.Header.Get("If-None-Match"), q.w.Header().Get("ETag")) {
		q.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if !q.options.ProxyStorage {
		if url, err := q.options.Content.RedirectURL(ctx, blob, q.options.RedirectLifetime); err != nil || url != "" {
			return q.redirect(url, err)
		}
	}
	return q.sendBlob(blob)
}

func (q *request) redirect(url string, err error) error {
	if err != nil {
		return err
	}
	header := q.w.Header()
	header.Del("Cache-Control") // the blob may be kept, the address only as long as it works
	header.Del("Content-Type")
	header.Set("Location", url)
	q.empty(http.StatusFound)
	return nil
}

// sendBlob sends the blob, or the part of it that the client asks for.
func (q *request) sendBlob(blob content.Blob) error {
	part, whole, err := parseRange(q.rangeHeader(), blob.Size)
	if err != nil {
		header := q.w.Header()
		header.Set("Content-Range", "bytes */"+strconv.FormatInt(blob.Size, 10))
		return err
	}
	open := q.options.Content.Open
	if !whole {
		open = q.options.Content.OpenPart
	}
	object, err := open(q.r.Context(), blob)
	if err != nil {
		return err
	}
	defer object.Close()
	header := q.w.Header()
	header.Set("Content-Length", strconv.FormatInt(part.length, 10))
	status := http.StatusOK
	if !whole {
		header.Set("Content-Range", part.contentRange(blob.Size))
		status = http.StatusPartialContent
	}
	return q.sendObject(status, object, part)
}

// rangeHeader is the range that the client wants. With an If-Range that names something else it wants everything.
func (q *request) rangeHeader() string {
	if condition := q.r.Header.Get("If-Range"); condition != "" && condition != q.w.Header().Get("ETag") {
		return ""
	}
	return q.r.Header.Get("Range")
}

func (q *request) describeBlob(blob content.Blob, cache string) {
	header := q.w.Header()
	header.Set("Docker-Content-Digest", blob.Digest.String())
	header.Set("ETag", `"`+blob.Digest.String()+`"`)
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Accept-Ranges", "bytes")
	header.Set("Cache-Control", cache)
}

// deleteBlob answers DELETE /v2/{name}/blobs/{digest}. The blob is unknown in the repository from then on; while a
// readable manifest names it the answer is 405.
func (q *request) deleteBlob() error {
	if err := q.options.Content.Unlink(q.r.Context(), q.place.repository.ID, q.target.digest); err != nil {
		return err
	}
	q.empty(http.StatusAccepted)
	return nil
}
