package distribution

import "net/http"

// need is the permission that a route asks for.
type need uint8

const (
	needNothing       need = iota // the route looks at credentials itself, or tells everybody
	needOptionalToken             // a token is verified if there is one
	needToken                     // any valid token
	needPull                      // read the repository
	needPush                      // write to the repository
)

// absence is what a route makes of a repository that does not exist, for a caller whose rights would reach it.
type absence uint8

const (
	absentUnknown absence = iota // NAME_UNKNOWN
	absentEmpty                  // the handler answers as for an empty one
	absentCreated                // the handler makes it, once it knows that the request is sound
)

// row is a route. Router, permission, metrics and tests know nothing of routes but their rows.
type row struct {
	method   string
	kind     kind
	need     need
	absent   absence
	promises bool // to a caller who may push, a yes is kept for the lease's time
	// remembers: on PostgreSQL the repository may be as it was 30 s ago. Only for what is found by digest, or by a tag,
	// which is always asked for.
	remembers bool
	label     string // in metrics and the log
	serve     func(*request) error
}

// pushes reports whether the row is part of a push: nothing that is there is taken away by it.
func (r *row) pushes() bool { return r.method != http.MethodDelete || r.kind == kindUpload }

func routes() []row {
	const get, head, put, post, patch, remove = http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete
	return []row{
		{method: get, kind: kindBase, need: needToken, label: "base", serve: (*request).base},
		{method: get, kind: kindToken, need: needNothing, label: "token", serve: (*request).issueToken},
		{method: get, kind: kindCatalog, need: needOptionalToken, label: "catalog", serve: (*request).catalog},

		{method: head, kind: kindBlob, need: needPull, promises: true, remembers: true, label: "blob.head", serve: (*request).headBlob},
		{method: get, kind: kindBlob, need: needPull, remembers: true, label: "blob.get", serve: (*request).getBlob},
		{method: remove, kind: kindBlob, need: needPush, label: "blob.delete", serve: (*request).deleteBlob},

		{method: post, kind: kindUploads, need: needPush, absent: absentCreated, label: "upload.start", serve: (*request).startUpload},
		{method: get, kind: kindUpload, need: needPush, label: "upload.status", serve: (*request).uploadStatus},
		{method: patch, kind: kindUpload, need: needPush, label: "upload.append", serve: (*request).appendUpload},
		{method: put, kind: kindUpload, need: needPush, label: "upload.finish", serve: (*request).finishUpload},
		{method: remove, kind: kindUpload, need: needPush, label: "upload.cancel", serve: (*request).cancelUpload},

		{method: head, kind: kindManifest, need: needPull, remembers: true, label: "manifest.head", serve: (*request).getManifest},
		{method: get, kind: kindManifest, need: needPull, remembers: true, label: "manifest.get", serve: (*request).getManifest},
		{method: put, kind: kindManifest, need: needPush, absent: absentCreated, label: "manifest.put", serve: (*request).putManifest},
		{method: remove, kind: kindManifest, need: needPush, label: "manifest.delete", serve: (*request).deleteManifest},

		{method: get, kind: kindTags, need: needPull, label: "tags.list", serve: (*request).listTags},
		{method: get, kind: kindReferrers, need: needPull, absent: absentEmpty, label: "referrers.list", serve: (*request).listReferrers},

		{method: get, kind: kindKeys, need: needNothing, label: "keys.list", serve: (*request).listKeys},
		{method: get, kind: kindKey, need: needNothing, label: "keys.get", serve: (*request).getKey},
		{method: put, kind: kindKey, need: needNothing, label: "keys.put", serve: (*request).putKey},
		{method: remove, kind: kindKey, need: needNothing, label: "keys.delete", serve: (*request).deleteKey},
	}
}

// route finds the row of a method on a kind of path; nil and the methods there are when there is none. HEAD is GET
// without a body where it has no row of its own; a token is only made for a GET.
func (h *Handler) route(method string, k kind) (found *row, allowed []string) {
	var get *row
	for i := range h.rows {
		r := &h.rows[i]
		if r.kind != k {
			continue
		}
		if r.method == method {
			return r, nil
		}
		if r.method == http.MethodGet {
			get = r
		}
		allowed = append(allowed, r.method)
	}
	if method == http.MethodHead && get != nil && k != kindToken {
		return get, nil
	}
	return nil, allowed
}
