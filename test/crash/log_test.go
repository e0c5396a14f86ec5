//go:build e2e

package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// What the action log promises about pulls.
const (
	lastMoment = 100 * time.Millisecond // before the end, of which pulls may be lost
	storedIn   = 10 * time.Second       // after a start what was in the spool is in the database
	pullers    = 4
	pushes     = 200           // meanwhile, at most
	pullSign   = "crash-pull/" // begins the User-Agent of a counted pull
)

// logPoint is a place where the process dies while it pulls.
type logPoint struct {
	name  string
	hit   int
	rules []string
	left  bool // the point is met by the process that finds another's spool
}

// logPoints are around each step of a pull's entry on its way into the database.
func logPoints() []logPoint {
	var list []logPoint
	for step, p := range map[string]logPoint{
		"append": {hit: 200}, "begin-segment": {hit: 1}, "write": {hit: 10}, "remove-segment": {hit: 1}, "remove": {hit: 1, left: true},
		"sync": {hit: 1, rules: []string{"db/store-pulls/begin EIO"}},
	} {
		for _, when := range []string{"before", "after"} {
			p.name = "spool/" + step + "/" + when
			list = append(list, p)
		}
	}
	for _, m := range []string{"begin", "before-commit", "after-commit"} {
		list = append(list, logPoint{name: "db/store-pulls/" + m, hit: 2}, logPoint{name: "db/forget-a-spool/" + m, hit: 1, left: true})
	}
	return list
}

// TestLogDies dies at each step of the action log while clients pull and push: after the restart the pulls are in the
// log but for the last moment's, none twice and each client's in their order, and so are all pushes that were answered.
func TestLogDies(t *testing.T) {
	t.Parallel()
	for _, kind := range []dbtest.Kind{dbtest.SQLite, dbtest.PostgreSQL} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			l := &logged{registry: start(t, kind), kind: kind}
			p := l.person(t)
			l.manifest = p.image("v1")
			for _, point := range logPoints() {
				if ok, _ := path.Match(*pattern, strings.ReplaceAll(point.name, "/", ":")); ok {
					t.Run(strings.ReplaceAll(point.name, "/", ":"), func(t *testing.T) { l.die(t, point) })
				}
			}
		})
	}
}

// logged is a registry whose log is read back.
type logged struct {
	*registry
	kind     dbtest.Kind
	manifest []byte
	serial   int
	mu       sync.Mutex
	answered map[string]time.Time // since the last restart, by User-Agent or tag
	pushed   map[string]bool
	refused  []string
}

func (l *logged) die(t *testing.T, p logPoint) {
	l.answered, l.pushed, l.refused = map[string]time.Time{}, map[string]bool{}, nil
	ctx, cancel := context.WithTimeout(t.Context(), reachedIn)
	defer cancel()
	if p.left {
		soon, stop := context.WithTimeout(ctx, 300*time.Millisecond)
		l.work(soon)
		stop()
		l.Kill()
		<-l.Ended()
		l.registry.plan(t, fmt.Sprintf("%s kill %d", p.name, p.hit))
		_, _ = l.Start() // it may die before it is ready
	} else {
		l.registry.plan(t, append(p.rules, fmt.Sprintf("%s kill %d", p.name, p.hit))...)
		l.work(ctx)
	}
	select {
	case <-l.Ended():
	case <-ctx.Done():
		l.Kill()
		t.Errorf("the point was not reached within %s; refused were %.500q; the program said:\n%s", reachedIn, l.refused, l.complaints())
	}
	l.registry.plan(t)
	l.restart(t)
	faults := l.faults(t)
	for deadline := time.Now().Add(storedIn); len(faults) > 0 && time.Now().Before(deadline); faults = l.faults(t) {
		time.Sleep(100 * time.Millisecond)
	}
	for i, f := range faults {
		if i < 10 {
			t.Error(f)
		}
	}
	crashed(string(l.kind), p.name, len(l.pushed), len(l.answered), l.ready, !t.Failed())
}

// work pulls and pushes until the process is gone or ctx ends.
func (l *logged) work(ctx context.Context) {
	l.serial++
	var group sync.WaitGroup
	for i := range pullers {
		group.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				agent := fmt.Sprintf("%s%d.%d.%d", pullSign, l.serial, i, n)
				if !l.send(ctx, http.MethodGet, "v1", nil, http.Header{"User-Agent": {agent}}, http.StatusOK) {
					return
				}
				l.mu.Lock()
				l.answered[agent] = time.Now()
				l.mu.Unlock()
			}
		})
	}
	group.Go(func() {
		for n := 0; n < pushes && ctx.Err() == nil; n++ {
			tag := fmt.Sprintf("t%d.%d", l.serial, n)
			if !l.send(ctx, http.MethodPut, tag, l.manifest, http.Header{"Content-Type": {imageType}}, http.StatusCreated) {
				return
			}
			l.mu.Lock()
			l.pushed[tag] = true
			l.mu.Unlock()
		}
	})
	group.Wait()
}

func (l *logged) send(ctx context.Context, method, tag string, body []byte, header http.Header, want int) bool {
	r, err := l.client.registry(ctx, method, "/v2/"+places[0]+"/manifests/"+tag, body, header, places[0])
	if err == nil && r.status != want {
		l.mu.Lock()
		l.refused = append(l.refused, fmt.Sprintf("%s of %s: %v", method, tag, r))
		l.mu.Unlock()
	}
	return err == nil && r.status == want
}

// faults holds the log against what was answered.
func (l *logged) faults(t *testing.T) (faults []string) {
	t.Helper()
	rows := l.registry.rows(t)
	defer rows.db.Close()
	months, err := rows.strings(t.Context(), "SELECT CAST(month AS TEXT) FROM audit_month WHERE state = 1 ORDER BY month")
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int{} // entries by User-Agent, and by tag of a push
	last := map[string]int{}
	for _, month := range months {
		entries, err := rows.strings(t.Context(), "SELECT metadata FROM audit_"+month+" ORDER BY at_ms, id")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			var m struct {
				Agent string `json:"user-agent"`
				Tag   string
			}
			if err := json.Unmarshal([]byte(e), &m); err != nil {
				t.Fatal(err)
			}
			sign, isPull := strings.CutPrefix(m.Agent, pullSign)
			if !isPull {
				times[m.Tag]++
				continue
			}
			times[m.Agent]++
			var round, client, n int
			if _, err := fmt.Sscanf(sign, "%d.%d.%d", &round, &client, &n); err != nil {
				t.Fatal(err)
			}
			key := fmt.Sprint(round, " ", client)
			if before, ok := last[key]; ok && n < before {
				faults = append(faults, fmt.Sprintf("pull %s is listed after number %d", m.Agent, before))
			}
			last[key] = n
		}
	}
	for agent, n := range times {
		if strings.HasPrefix(agent, pullSign) && n > 1 {
			faults = append(faults, fmt.Sprintf("pull %s is in the log %d times", agent, n))
		}
	}
	var end time.Time
	for _, at := range l.answered {
		if at.After(end) {
			end = at
		}
	}
	for agent, at := range l.answered {
		if times[agent] == 0 && end.Sub(at) > lastMoment {
			faults = append(faults, fmt.Sprintf("pull %s was answered %s before the end and is not in the log", agent, end.Sub(at)))
		}
	}
	for tag := range l.pushed {
		if times[tag] != 1 {
			faults = append(faults, fmt.Sprintf("the push of tag %s is in the log %d times", tag, times[tag]))
		}
	}
	return faults
}
