package distribution_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// recorded makes a rig whose changes and pulls are recorded, with an action log that holds so many bytes.
func recorded(t *testing.T, d *db.DB, bytes int64) (*rig, *audit.Log) {
	t.Helper()
	log, err := audit.Open(t.Context(), audit.Options{DB: d, Dir: t.TempDir(), SpoolBytes: bytes, Clock: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close(t.Context()) })
	return newRig(t, d, func(s *settings) {
		s.options.Audit, s.options.AuditLogins, s.options.AuditLoginFailures = log, true, true
		s.identity.Audit, s.registry.Audit = log, log
	}), log
}

// entries gives kind, performer and metadata of all entries, the oldest first.
func entries(t *testing.T, log *audit.Log) []string {
	t.Helper()
	if err := log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all []string
	for e, err := range log.All(t.Context(), audit.Query{To: time.Now().Add(time.Hour)}) {
		if err != nil {
			t.Fatal(err)
		}
		who := "-"
		if e.Performer != nil {
			who = e.Performer.Name
		}
		var metadata map[string]any
		if err := json.Unmarshal(e.Metadata, &metadata); err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(metadata) // in the order of names
		all = append([]string{e.Kind + " by " + who + " " + string(text)}, all...)
	}
	return all
}

// TestWhatTheProtocolRecords follows a repository from its first push to the deletion of its tag.
func TestWhatTheProtocolRecords(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r, log := recorded(t, d, 0)
		pusher := r.token("alice", scopeOf("alice/app", "pull,push"))
		digest := r.push(pusher, "alice/app", "v1", emptyIndex).String()
		agent := map[string]string{"User-Agent": "probe/1"}
		do := func(method, reference string, status int) {
			r.want(r.send(call{method: method, path: "/v2/alice/app/manifests/" + reference, token: pusher, header: agent}), status)
		}
		do("GET", "v1", 200)
		do("HEAD", digest, 200)
		do("GET", "none", 404)
		r.want(r.send(call{path: "/v2/alice/app/manifests/v1"}), 401)
		do("DELETE", "v1", 202)
		do("GET", "v1", 404)
		r.want(r.send(call{path: "/v2/auth?service=" + service, user: "alice", secret: password("alice"), header: agent}), 200)
		r.want(r.send(call{path: "/v2/auth?service=" + service, user: "alice", secret: "wrong", header: agent}), 401)
		repo := `"namespace":"alice","repo":"app"`
		want := []string{
			`user_create by - {"email":"alice@example.com","username":"alice"}`,
			`create_repo by alice {` + repo + `}`,
			`push_repo by alice {"mediaType":"` + indexType + `",` + repo + `,"tag":"v1","user-agent":"Go-http-client/1.1","username":"alice"}`,
			`pull_repo by alice {"mediaType":"` + indexType + `",` + repo + `,"tag":"v1","user-agent":"probe/1","username":"alice"}`,
			`pull_repo by alice {"manifest_digest":"` + digest + `","mediaType":"` + indexType + `",` + repo + `,"user-agent":"probe/1","username":"alice"}`,
			`delete_tag by alice {` + repo + `,"tag":"v1","user-agent":"probe/1","username":"alice"}`,
			`login_success by alice {"kind":"user","type":"v2auth","useragent":"probe/1","username":"alice"}`,
			`login_failure by - {"kind":"user","message":"Invalid Username or Password","type":"v2auth","useragent":"probe/1","username":"alice"}`,
		}
		if diff := cmp.Diff(want, entries(t, log)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestAPullThatCannotBeRecordedIsRefused fills a spool; what is refused sends nothing of the manifest.
func TestAPullThatCannotBeRecordedIsRefused(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite)
	r, log := recorded(t, d, 0)
	pusher := r.token("alice", scopeOf("alice/app", "pull,push"))
	r.push(pusher, "alice/app", "v1", emptyIndex)
	if err := log.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := r.want(r.send(call{path: "/v2/alice/app/manifests/v1", token: pusher}), 503)
	if a.header.Get("Retry-After") == "" || a.header.Get("Docker-Content-Digest") != "" || !strings.Contains(string(a.body), "ALLOW_PULLS_WITHOUT_STRICT_LOGGING") {
		t.Errorf("%v %s", a.header, a.body)
	}
}

// TestARecordedWarmPullAsksTheDatabaseNothing counts queries while pulls are recorded.
func TestARecordedWarmPullAsksTheDatabaseNothing(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite)
	r, _ := recorded(t, d, 0)
	pusher := r.token("alice", scopeOf("alice/app", "pull,push"))
	r.push(pusher, "alice/app", "v1", emptyIndex)
	request := call{path: "/v2/alice/app/manifests/v1", token: pusher}
	r.want(r.send(request), 200)
	before := d.Stats().Queries
	for range 5 {
		r.want(r.send(request), 200)
	}
	if n := d.Stats().Queries - before; n != 0 {
		t.Errorf("five pulls asked %d queries", n)
	}
}
