package rest

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// notGolden are the operations without a golden success or without a golden error, and what holds them instead. The
// first word says what is missing.
const notGolden = `
success POST /api/v1/externallogin/{}                     there is no login service yet
success POST /api/v1/entities/link/{}                     there is no other system of accounts yet
success GET  /api/v1/repository/{}/tokens/                always 410
success POST /api/v1/repository/{}/tokens/                always 410
success GET  /api/v1/repository/{}/tokens/{}              always 410
success PUT  /api/v1/repository/{}/tokens/{}              always 410
success DELETE /api/v1/repository/{}/tokens/{}            always 410
success POST /api/v1/recovery                             TestRecoveryTellsNobodyWhoIsThere, with a mail server
success POST /api/v1/superusers/users/{}/sendrecovery     TestRecoveryTellsNobodyWhoIsThere, with a mail server
both    GET  /confirm                                     package maillink and mail_test.go, with a mail server
both    GET  /recovery                                    package maillink and mail_test.go, with a mail server
success PUT  /api/v1/organization/{}/team/{}/invite/{}    TestInvitationsByMail, with an inviter
both    DELETE /api/v1/organization/{}/team/{}/invite/{}  TestInvitationsByMail, with an inviter
both    PUT  /api/v1/teaminvite/{}                        TestInvitationsByMail, with an inviter
both    DELETE /api/v1/teaminvite/{}                      TestInvitationsByMail, with an inviter
both    GET  /oauth/authorize                             oauth_test.go: pages and redirects
both    POST /oauth/authorizeapp                          oauth_test.go: pages and redirects
both    POST /oauth/denyapp                               oauth_test.go: pages and redirects
both    GET  /oauth/localapp                              oauth_test.go: pages and redirects
both    POST /oauth/access_token                          TestAuthorizationCodeFlow
error   POST /oauth/authorize/assignuser                  TestAssignedTokens
both    GET  /oauth2/federation/robot/token               TestAJobPushesWithItsIssuersToken: the tokens differ
both    GET  /{}                                          TestShortAddresses: redirects
both    GET  /authrepoemail                               package maillink, with a mail server
both    GET  /confirminvite                               TestAnInvitationIsFollowedFromTheMail, with an inviter
both    POST /confirminvite                               TestAnInvitationIsFollowedFromTheMail, with an inviter
both    GET  /signin                                      TestAnInvitationIsFollowedFromTheMail: a page
both    POST /signin                                      TestAnInvitationIsFollowedFromTheMail: a page
both    GET  /repository/{}                               TestShortAddresses: a page
both    GET  /organization/{}                             TestShortAddresses: a page
both    GET  /user/{}                                     TestShortAddresses: a page
both    GET  /exportedlogs/{}                             TestAnExportIsToldServedAndRecorded
success GET  /api/v1/superuser/apptokens                  the permission table: only read-only superusers
success GET  /api/v1/superuser/config                     TestTheConfigurationDump, with its switch on
success GET  /api/v1/discovery                            TestDiscovery
success GET  /api/v1/openapi.json                         TestDocument
success GET  /health/enabledebug/{}                       TestWhoSeesWhatIsUnwell, with a secret
success GET  /realtime/user/subscribe                     events_test.go: a stream
both    GET  /keys/services/{}/keys                       package distribution, TestKeys
both    GET  /keys/services/{}/keys/{}                    package distribution, TestKeys
both    PUT  /keys/services/{}/keys/{}                    package distribution, TestKeys
both    DELETE /keys/services/{}/keys/{}                  package distribution, TestKeys
both    GET  /health                                      package server, TestHealthNamesWhatIsUnwell
both    GET  /health/instance                             package server, TestHealthNamesWhatIsUnwell
both    GET  /status                                      package server, TestHealthNamesWhatIsUnwell
both    GET  /health/endtoend                             package server, TestHealthNamesWhatIsUnwell
both    GET  /health/warning                              package server, TestHealthNamesWhatIsUnwell
`

// TestEveryOperationHasGoldenExchanges holds the golden files to the list of the contract's operations: each that this
// version has is there with a success and with an error, or notGolden says what holds it instead.
func TestEveryOperationHasGoldenExchanges(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	succeeds, fails := map[string]bool{}, map[string]bool{}
	for _, file := range must(filepath.Glob("testdata/golden/*.txt"))(t) {
		for _, s := range readGolden(t, file) {
			if s.tagged != "" {
				continue
			}
			path, _, _ := strings.Cut(s.path, "?")
			e, _, _ := w.api.table.find(strings.NewReplacer("{", "", "}", "").Replace(path))
			if r := e.route(s.method); r != nil {
				seen := succeeds
				if s.status >= http.StatusBadRequest {
					seen = fails
				}
				seen[operationKey(r.Method, r.Path)] = true
			}
		}
	}
	missing, listed := map[string]string{}, map[string]bool{}
	for line := range strings.Lines(notGolden) {
		if words := strings.Fields(line); len(words) > 3 {
			missing[words[1]+" "+words[2]] = words[0]
		}
	}
	for line := range strings.Lines(string(must(os.ReadFile("../../app/testdata/operations.txt"))(t))) {
		words := strings.Fields(line)
		if len(words) != 3 || words[0] != "done" && words[0] != "own" {
			continue
		}
		key := operationKey(words[1], words[2])
		known := missing[key]
		listed[key] = true
		if want := known == "success" || known == "both"; succeeds[key] == want {
			t.Errorf("%s: a golden success is there: %v, and listed as missing: %v", key, succeeds[key], want)
		}
		if want := known == "error" || known == "both"; fails[key] == want {
			t.Errorf("%s: a golden error is there: %v, and listed as missing: %v", key, fails[key], want)
		}
	}
	for key := range missing {
		if !listed[key] {
			t.Errorf("%s is listed as missing and is no operation", key)
		}
	}
}

// operationKey is the same for all names of the variables in a path.
func operationKey(method, path string) string {
	return method + " " + regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "{}")
}
