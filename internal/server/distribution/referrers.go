package distribution

import (
	"bytes"
	"encoding/json"
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
	artifactType, err := textParameter(query, "artifactType")
	if err != nil {
		return err
	}
	var answer [][]byte
	if q.place.exists() {
		after, _ := parseDecimal(query.Get("after")) // a cursor that is none begins at the start
		list, next, err := q.referrers(artifactType, after)
		if err != nil {
			return err
		}
		answer = list
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
	q.index(answer)
	return nil
}

// referrers is a page of descriptors as JSON. Its annotations may be as long as the manifests are, and the client
// decides how long the answer takes: what it holds counts in the intake's budget, while it is built and until it is
// sent.
func (q *request) referrers(artifactType string, after int64) (list [][]byte, next int64, err error) {
	ctx := q.r.Context()
	if err := q.rec.Intake.Build(ctx); err != nil {
		return nil, 0, err
	}
	found, next, err := q.options.Registry.Referrers(ctx, q.place.repository, q.target.digest, artifactType, after)
	if err != nil {
		return nil, 0, err
	}
	size := 0
	for i := range found {
		one, err := encode(found[i])
		if err != nil {
			return nil, 0, err
		}
		found[i] = registry.Descriptor{} // its annotations are in both until then
		list = append(list, one)
		size += cap(one)
	}
	return list, next, q.rec.Intake.Built(q.payer(), int64(size))
}

// encode writes a descriptor without json.Marshal's escapes for HTML, which make six bytes of one.
func encode(d registry.Descriptor) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(d)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// index sends an image index of encoded descriptors, one after the other.
func (q *request) index(descriptors [][]byte) {
	parts := [][]byte{[]byte(`{"schemaVersion":2,"mediaType":"` + indexType + `","manifests":[`)}
	for i, d := range descriptors {
		if i > 0 {
			parts = append(parts, []byte{','})
		}
		parts = append(parts, d)
	}
	parts = append(parts, []byte("]}"))
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	q.w.Header().Set("Content-Length", strconv.Itoa(size))
	q.w.WriteHeader(http.StatusOK)
	for _, p := range parts {
		q.write(p)
	}
}
