package distribution

import (
	"fmt"
	"strings"
)

// tokenPath is where tokens are made.
const tokenPath = "/v2/auth"

// challenge tells a client where to get a token and which scope it would need (RFC 6750, section 3; Docker's token
// authentication). On routes without a repository there is no scope.
func (q *request) challenge() string {
	c := fmt.Sprintf("Bearer realm=%s,service=%s", quote(q.rec.URL(tokenPath)), quote(q.options.Service))
	if q.target.namespace == "" || q.row == nil {
		return c
	}
	actions := "pull"
	if q.row.need == needPush {
		actions = "pull,push"
	}
	return c + ",scope=" + quote("repository:"+q.target.namespace+"/"+q.target.name+":"+actions)
}

// quote makes a quoted-string (RFC 9110, section 5.6.4).
func quote(s string) string {
	if !strings.ContainsAny(s, `\"`) {
		return `"` + s + `"`
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
