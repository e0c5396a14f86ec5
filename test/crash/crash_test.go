//go:build e2e

package crash

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

var (
	seeds   = flag.Int("crash.seeds", defaultSeeds(), "how often the process dies at each point, each time with other requests")
	pattern = flag.String("crash.points", "*", "points to die at, as a pattern of path.Match on the name with : for /")
	first   = flag.Int64("crash.first", time.Now().Unix(), "the first seed; printed when a test fails")
)

const (
	readyIn   = 2 * time.Second  // after a crash
	reachedIn = 20 * time.Second // the clients come by every point
	sample    = 20               // registers from before that are read again after each crash
	lanes     = 2                // registries of each kind that die at the same time

	roundsOfOne = 2 // that one registry dies in at all its points
)

func defaultSeeds() int {
	if times, err := strconv.Atoi(os.Getenv("LONGSHORE_SOAK")); err == nil && times > 0 {
		return times
	}
	return 1
}

// TestCrash dies at every point and holds what is there after the restart against what was acknowledged. In each lane
// one registry dies at its share of the points, again and again on the same data.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, kind := range []dbtest.Kind{dbtest.SQLite, dbtest.PostgreSQL} {
		for lane := range lanes {
			t.Run(fmt.Sprintf("%s %d", kind, lane), func(t *testing.T) {
				t.Parallel()
				dieInLane(t, kind, lane)
			})
		}
	}
}

// dieInLane begins with a new registry every few rounds: what dead clients left open would in the end be as many uploads as
// an account may have.
func dieInLane(t *testing.T, kind dbtest.Kind, lane int) {
	for from := 0; from < *seeds; from += roundsOfOne {
		to := min(from+roundsOfOne, *seeds)
		t.Run(fmt.Sprintf("rounds %d to %d", from, to-1), func(t *testing.T) { dieInRounds(t, kind, lane, from, to) })
	}
}

func dieInRounds(t *testing.T, kind dbtest.Kind, lane, from, to int) {
	c := &crashes{registry: start(t, kind), kind: kind, journal: newJournal(), serial: &serial{}, promised: &promised{}}
	c.registry.addUser(t, visitor)
	for seed := from; seed < to; seed++ {
		for i, p := range selected(kind) {
			if i%lanes != lane {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(p.name, "/", ":"), seed), func(t *testing.T) {
				c.die(t, p, uint64(*first)+uint64(seed))
			})
			if t.Failed() && c.broken {
				t.FailNow()
			}
		}
	}
	c.check(t, "everything once more", 1<<30, false)
}

// selected are the points to die at on a kind of database.
func selected(kind dbtest.Kind) []point {
	all := append(points(), sqlitePoints()...)
	if kind != dbtest.SQLite {
		all = append(points(), postgresPoints()...)
	}
	var list []point
	for _, p := range all {
		if ok, _ := path.Match(*pattern, strings.ReplaceAll(p.name, "/", ":")); ok {
			list = append(list, p)
		}
	}
	return list
}

// crashes is one registry that dies again and again.
type crashes struct {
	registry *registry
	kind     dbtest.Kind
	journal  *journal
	serial   *serial
	promised *promised
	signedIn []string
	broken   bool // it does not run any more
}

// die lets clients work until the process dies at a point, starts it again and checks.
func (c *crashes) die(t *testing.T, p point, seed uint64) {
	random := rand.New(rand.NewPCG(seed, uint64(len(p.name))))
	hit := 1 + random.IntN(p.often)
	if p.likely == leaseBlob {
		c.promise(t, 2*p.often)
	}
	c.registry.plan(t, append(p.rules, fmt.Sprintf("%s kill %d", p.name, hit))...)
	list := make([]*actor, actors)
	for i := range list {
		client := newClient("http://"+c.registry.Host, c.registry.Token)
		client.patient = len(p.rules) > 0
		list[i] = &actor{
			id: i, random: rand.New(rand.NewPCG(seed, uint64(i)+100)), client: client,
			journal: c.journal, likely: p.likely, serial: c.serial, promised: c.promised, signedIn: &c.signedIn,
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), reachedIn)
	defer cancel()
	before := c.journal.acked
	err := run(ctx, list)
	c.registry.plan(t)
	switch {
	case err != nil:
		t.Errorf("seed %d: %v\n%s", seed, err, c.registry.complaints())
		c.registry.Kill()
	case ctx.Err() != nil:
		t.Errorf("seed %d: the point was not reached %d times within %s", seed, hit, reachedIn)
		c.registry.Kill()
	}
	select {
	case <-c.registry.Ended():
	case <-time.After(reachedIn):
		t.Errorf("seed %d: the clients had errors though the process lives\n%s", seed, c.registry.complaints())
		c.registry.Kill()
	}
	c.broken = true
	c.registry.restart(t)
	c.broken = false
	if c.registry.ready > readyIn {
		t.Errorf("ready after %s, promised are %s", c.registry.ready, readyIn)
	}
	acked := c.journal.acked - before
	reads := c.check(t, fmt.Sprintf("seed %d, hit %d", seed, hit), sample, c.kind != dbtest.SQLite)
	crashed(string(c.kind), p.name, acked, reads, c.registry.ready, !t.Failed())
}

// check reads back, and looks at the rows. Where other processes may hold an upload, the next one waits five seconds for
// a holder that has died: such uploads are parked, which is to say that only their status is asked until a check in the
// end.
func (c *crashes) check(t *testing.T, what string, more int, park bool) (reads int) {
	rows := c.registry.rows(t)
	defer rows.db.Close()
	checker := &checker{
		client: newClient("http://"+c.registry.Host, c.registry.Token), journal: c.journal, rows: rows, park: park, whole: map[string]bool{},
	}
	faults := checker.all(t.Context(), more)
	found, err := rows.faults(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	faults = append(faults, found...)
	for i, f := range faults {
		if i == 10 {
			t.Errorf("and %d more", len(faults)-i)
			break
		}
		t.Errorf("%s: %s", what, f)
	}
	if len(faults) > 0 {
		t.Logf("the program said:\n%s", c.registry.complaints())
	}
	return checker.reads
}

// promise pushes blobs that nobody deletes.
func (c *crashes) promise(t *testing.T, n int) {
	client := newClient("http://"+c.registry.Host, c.registry.Token)
	for range n {
		b := kept{places[0], fill(c.serial.next(), 100)}
		d := digestOf(b.content)
		r, err := client.registry(t.Context(), "POST", "/v2/"+b.repository+"/blobs/uploads/?digest="+d, b.content, octets, b.repository)
		if err != nil || r.status != 201 {
			t.Fatalf("%v, %v", r, err)
		}
		c.journal.settleQuietly(blobKey(b.repository, d), "present")
		c.promised.add(b)
	}
}
