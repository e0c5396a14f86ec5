//go:build e2e

package crash

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

var (
	seeds    = flag.Int("crash.seeds", defaultSeeds(), "how often the process dies at each point, each time with other requests")
	postgres = flag.String("crash.postgres", "quick", "points on PostgreSQL: quick or all")
	pattern  = flag.String("crash.points", "*", "points to die at, as a pattern of path.Match on the name with : for /")
	first    = flag.Int64("crash.first", time.Now().Unix(), "the first seed; printed when a test fails")
)

const (
	readyIn   = 2 * time.Second  // after a crash
	reachedIn = 20 * time.Second // the clients come by every point
	sample    = 40               // registers from before that are read again after each crash
)

func defaultSeeds() int {
	if os.Getenv("LONGSHORE_SOAK") != "" {
		return 20
	}
	return 1
}

// TestCrash dies at every point and holds what is there after the restart against what was acknowledged.
func TestCrash(t *testing.T) {
	for _, kind := range []dbtest.Kind{dbtest.SQLite, dbtest.PostgreSQL} {
		t.Run(string(kind), func(t *testing.T) {
			table := &table{title: "crash points on " + string(kind)}
			defer table.print(t)
			c := &crashes{registry: start(t, kind), journal: newJournal(), serial: &serial{}, table: table}
			for seed := range *seeds {
				for _, p := range selected(kind) {
					t.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(p.name, "/", ":"), seed), func(t *testing.T) {
						c.die(t, p, uint64(*first)+uint64(seed))
					})
					if t.Failed() && c.broken {
						t.FailNow()
					}
				}
			}
			c.check(t, "everything once more", 1<<30)
		})
	}
}

// selected are the points to die at on a kind of database.
func selected(kind dbtest.Kind) []point {
	all := append(points(), sqlitePoints()...)
	if kind != dbtest.SQLite {
		all = append(points(), postgresPoints()...)
	}
	var list []point
	for _, p := range all {
		ok, _ := path.Match(*pattern, strings.ReplaceAll(p.name, "/", ":"))
		quick := kind == dbtest.SQLite || p.quick || *postgres == "all" || os.Getenv("LONGSHORE_SOAK") != ""
		if ok && quick {
			list = append(list, p)
		}
	}
	return list
}

// crashes is one registry that dies again and again.
type crashes struct {
	registry *registry
	journal  *journal
	serial   *serial
	table    *table
	broken   bool // it does not run any more
}

// die lets clients work until the process dies at a point, starts it again and checks.
func (c *crashes) die(t *testing.T, p point, seed uint64) {
	random := rand.New(rand.NewPCG(seed, uint64(len(p.name))))
	hit := 1 + random.IntN(p.often)
	c.registry.plan(t, fmt.Sprintf("%s kill %d", p.name, hit))
	list := make([]*actor, actors)
	for i := range list {
		list[i] = &actor{
			id: i, random: rand.New(rand.NewPCG(seed, uint64(i)+100)), client: newClient("http://"+c.registry.Host, c.registry.Token),
			journal: c.journal, likely: p.likely, serial: c.serial,
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
	<-c.registry.Ended()
	c.broken = true
	c.registry.restart(t)
	c.broken = false
	if c.registry.ready > readyIn {
		t.Errorf("ready after %s, promised are %s", c.registry.ready, readyIn)
	}
	reads := c.check(t, fmt.Sprintf("seed %d, hit %d", seed, hit), sample)
	c.table.add(p.name, c.journal.acked-before, reads, c.registry.ready, !t.Failed())
}

// check reads back, and looks at the rows.
func (c *crashes) check(t *testing.T, what string, more int) (reads int) {
	checker := &checker{client: newClient("http://"+c.registry.Host, c.registry.Token), journal: c.journal, whole: map[string]bool{}}
	faults := checker.all(t.Context(), more)
	found, err := c.registry.rows(t).faults(t.Context())
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
