package distribution

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/longshore-registry/longshore/internal/registry"
)

// indexType is the media type of a referrers list.
const indexType = "application/vnd.oci.image.index.v1+json"

// listReferrers answers GET /v2/{name}/referrers/{digest}: an index of the manifests with that subject. Where nothing
// refers to the digest, or nothing is there at all, the index is empty: a 404 would make clients keep a list of their
// own under a tag (distribution-spec v1.1.1, "Listing Referrers").
func (q *request) listReferrers() error {
	query := q.r.URL.Query()
	artifactType := query.Get("artifactType")
	manifests := []registry.Descriptor{}
	if q.place.exists() {
		after, _ := parseDecimal(query.Get("after")) // a cursor that is none begins at the start
		list, next, err := q.options.Registry.Referrers(q.r.Context(), q.place.repository, q.target.digest, artifactType, after)
		if err != nil {
			return err
		}
		manifests = append(manifests, list...)
		if next != 0 {
			link := url.Values{"after": {strconv.FormatInt(next, 10)}}
			if artifactType != "" {
				link.Set("artifactType", artifactType)
			}
			linkNext(q.w, q.r, link)
		}
	}
	header := q.w.Header()
	header.Set("Content-Type", indexType)
	if artifactType != "" {
		header.Set("OCI-Filters-Applied", "artifactType")
	}
	q.json(http.StatusOK, struct {
		SchemaVersion int                   `json:"schemaVersion"`
		MediaType     string                `json:"mediaType"`
		Manifests     []registry.Descriptor `json:"manifests"`
	}{2, indexType, manifests})
	return nil
}
