package distribution_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/server/distribution"
)

// recorded makes a rig whose changes and pulls are recorded, with an action log that holds so many bytes.
func recorded(t *testing.T, d *db.DB, bytes int64, change ...func(*audit.Options, *settings)) (*rig, *audit.Log) {
	t.Helper()
	o := audit.Options{DB: d, Dir: t.TempDir(), SpoolBytes: bytes, Clock: time.Now, Log: slog.New(slog.DiscardHandler)}
	var log *audit.Log
	r := newRig(t, d, func(s *settings) {
		for _, fn := range change {
			fn(&o, s)
		}
		var err error
		if log, err = audit.Open(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		s.options.Audit, s.options.AuditLogins, s.options.AuditLoginFailures = log, true, true
		s.identity.Audit, s.registry.Audit = log, log
	})
	t.Cleanup(func() { _ = log.Close(t.Context()) })
	return r, log
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

// TestWhatFailsIsRecordedWhereAskedFor has each kind of request fail, with the switch of its own and without.
func TestWhatFailsIsRecordedWhereAskedFor(t *testing.T) {
	const about = `"namespace":"alice","repo":"app","tag":"none","user-agent":"probe/1","username":"alice"`
	for _, test := range []struct {
		method string
		on     distribution.Failures
		want   string
	}{
		{"GET", distribution.Failures{Pulls: true}, "pull_repo_failed"},
		{"HEAD", distribution.Failures{Pulls: true}, "pull_repo_failed"},
		{"PUT", distribution.Failures{Pushes: true}, "push_repo_failed"},
		{"DELETE", distribution.Failures{Deletes: true}, "delete_tag_failed"},
		{"GET", distribution.Failures{Pushes: true, Deletes: true}, ""},
		{"PUT", distribution.Failures{Pulls: true, Deletes: true}, ""},
		{"DELETE", distribution.Failures{Pulls: true, Pushes: true}, ""},
	} {
		t.Run(fmt.Sprintf("%s %+v", test.method, test.on), func(t *testing.T) {
			d := dbtest.Open(t, dbtest.SQLite)
			r, log := recorded(t, d, 0, func(_ *audit.Options, s *settings) { s.options.AuditFailures = test.on })
			pusher := r.token("alice", scopeOf("alice/app", "pull,push"))
			r.push(pusher, "alice/app", "v1", emptyIndex)
			stranger := r.token("bob", scopeOf("alice/app", "pull,push"))
			before := len(entries(t, log))
			request := call{method: test.method, path: "/v2/alice/app/manifests/none", token: pusher, header: map[string]string{"User-Agent": "probe/1"}}
			r.want(r.send(request), 400, 404)
			request.token = ""
			r.want(r.send(request), 401)
			request.token = stranger
			r.want(r.send(request), 401)
			got := entries(t, log)[before:]
			if test.want == "" {
				if len(got) > 0 {
					t.Error(got)
				}
				return
			}
			if len(got) != 2 || !strings.HasPrefix(got[0], test.want+` by alice {"message":"`) || !strings.HasSuffix(got[0], about+"}") ||
				!strings.HasPrefix(got[1], test.want+` by bob {"message":"`) {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestAFullSpool pulls while nothing reaches the database until the spool is full. Then a pull is refused, and nothing
// of the manifest is sent; or it goes unrecorded and is counted, where the configuration allows that. When the database
// is back pulls are recorded again, without a restart.
func TestAFullSpool(t *testing.T) {
	for _, drop := range []bool{false, true} {
		t.Run(fmt.Sprintf("ALLOW_PULLS_WITHOUT_STRICT_LOGGING %v", drop), func(t *testing.T) {
			var away atomic.Bool
			r, log, pull := tinySpool(t, drop, &away)
			away.Store(true)
			taken := 0
			for ; taken < 5000 && log.Stats().Refused+log.Stats().Dropped == 0; taken++ {
				if a := r.send(pull); a.status != 200 {
					break
				}
			}
			s := log.Stats()
			if s.SpoolBytes > s.SpoolLimit || s.SpoolBytes < s.SpoolLimit/2 || s.Dropped+s.Refused == 0 {
				t.Fatalf("after %d pulls: %+v", taken, s)
			}
			if a := r.send(pull); drop {
				r.want(a, 200)
				if log.Stats().Dropped <= s.Dropped || s.Refused > 0 {
					t.Errorf("%+v, then %+v", s, log.Stats())
				}
			} else {
				refused(t, r.want(a, 503))
			}
			r.want(r.send(call{path: "/v2/alice/app/tags/list", token: pull.token}), 200)
			away.Store(false)
			if err := log.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.want(r.send(pull), 200)
			if err := log.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if after := log.Stats(); after.Stored != after.Pulled || after.Stored != s.Pulled+1 {
				t.Errorf("full: %+v, in the end: %+v", s, after)
			}
		})
	}
}

// tinySpool makes a rig whose spool has room for some hundred pulls, and whose pulls are not stored while away says so.
func tinySpool(t *testing.T, drop bool, away *atomic.Bool) (*rig, *audit.Log, call) {
	t.Helper()
	o := dbtest.Options(dbtest.URI(t, dbtest.SQLite))
	o.Watch = func(transaction string, _ db.Moment) error {
		if transaction == "store pulls" && away.Load() {
			return problem.New(problem.Unavailable, "the database is away")
		}
		return nil
	}
	d, err := db.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	r, log := recorded(t, d, 64<<10, func(o *audit.Options, _ *settings) { o.DropPulls = drop })
	pusher := r.token("alice", scopeOf("alice/app", "pull,push"))
	r.push(pusher, "alice/app", "v1", emptyIndex)
	return r, log, call{path: "/v2/alice/app/manifests/v1", token: pusher}
}

// refused looks at the answer to a pull that cannot be recorded.
func refused(t *testing.T, a answer) {
	t.Helper()
	var envelope struct {
		Errors []struct{ Code, Message string }
	}
	if err := json.Unmarshal(a.body, &envelope); err != nil || len(envelope.Errors) != 1 || !strings.Contains(envelope.Errors[0].Message, "ALLOW_PULLS_WITHOUT_STRICT_LOGGING") {
		t.Errorf("%s %v", a.body, err)
	}
	if a.header.Get("Retry-After") == "" || a.header.Get("Docker-Content-Digest") != "" {
		t.Errorf("%v", a.header)
	}
}

// TestAClosedLogRefusesPulls as one that is full.
func TestAClosedLogRefusesPulls(t *testing.T) {
	r, log := recorded(t, dbtest.Open(t, dbtest.SQLite), 0)
	pusher := r.token("alice", scopeOf("alice/app", "pull,push"))
	r.push(pusher, "alice/app", "v1", emptyIndex)
	if err := log.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused(t, r.want(r.send(call{path: "/v2/alice/app/manifests/v1", token: pusher}), 503))
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
