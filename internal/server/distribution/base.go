package distribution

import (
	"net/http"
	"strconv"

	"github.com/longshore-registry/longshore/internal/problem"
)

// base answers GET /v2/: the registry speaks this protocol, and the token is good. Like Quay it repeats the challenge
// in the positive answer and says whether an index may name manifests that are missing.
func (q *request) base() error {
	if !q.options.AdvertiseV2 || q.blacklist.matches(q.r.UserAgent()) {
		return problem.New(problem.NotFound, "the registry protocol version 2 is not offered here").WithCode("UNSUPPORTED")
	}
	q.w.Header().Set("WWW-Authenticate", q.challenge())
	q.w.Header().Set("X-Sparse-Manifest-Support", strconv.FormatBool(q.options.SparseIndex))
	q.json(http.StatusOK, true)
	return nil
}
