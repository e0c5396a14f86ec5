package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
)

var errUndone = errors.New("undone")

// days gives the counts by day as lines.
func days(t *testing.T, d *db.DB) (lines []string) {
	t.Helper()
	rows, err := d.Query(t.Context(), "SELECT repo_id, day, pulls, pushes FROM repo_day ORDER BY repo_id, day")
	check(t, err)
	type count struct{ repo, day, pulls, pushes int64 }
	all, err := collect(rows, func(c *count) []any { return []any{&c.repo, &c.day, &c.pulls, &c.pushes} })
	check(t, err)
	for _, c := range all {
		lines = append(lines, fmt.Sprintf("repository %d, day %d: %d pulls, %d pushes", c.repo, c.day, c.pulls, c.pushes))
	}
	return lines
}

// statistics gives the counts by tag and manifest as lines.
func statistics(t *testing.T, d *db.DB) (lines []string) {
	t.Helper()
	rows, err := d.Query(t.Context(), "SELECT repo_id, key, pulls, last_ms, digest FROM pull_stat ORDER BY repo_id, kind, key")
	check(t, err)
	type count struct {
		repo, pulls, last int64
		key               string
		digest            digest.Digest
	}
	all, err := collect(rows, func(c *count) []any { return []any{&c.repo, &c.key, &c.pulls, &c.last, &c.digest} })
	check(t, err)
	for _, c := range all {
		key := c.key
		if of, err := digest.Parse(key); err == nil {
			key = of.Hex()[:4]
		}
		lines = append(lines, fmt.Sprintf("%d %s: %d, last %s of %s", c.repo, key, c.pulls, db.Time(c.last).Format("02 15:04:05"), c.digest.Hex()[:4]))
	}
	return lines
}

func TestPullsAndPushesAreCounted(t *testing.T) {
	one, two := digest.SHA256.Of([]byte("one")), digest.SHA512.Of([]byte("two"))
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := at("2026-11-22 23:59:58")
		o := optionsFor(t, d, c)
		o.CountPulls, o.SilentPulls = true, []string{"quiet"}
		quiet := account(t, d, "quiet", 2)
		l := open(t, o)
		pull := func(namespace, repository int64, tag string, of digest.Digest) {
			t.Helper()
			check(t, l.Pulled(Entry{Kind: PullRepo, NamespaceID: namespace, RepositoryID: repository, Tag: tag, Digest: of}))
		}
		loud := quiet + 1
		pull(loud, 7, "latest", one)
		pull(loud, 7, "latest", one)
		pull(loud, 7, "", one)
		pull(quiet, 8, "latest", one)
		check(t, l.Noted(Entry{Kind: LoginSuccess, NamespaceID: loud}))
		record(t, l, Entry{Kind: PushRepo, NamespaceID: loud, RepositoryID: 7}, Entry{Kind: CreateTag, NamespaceID: loud, RepositoryID: 7})
		err := d.Hard(t.Context(), "a push that fails", func(ctx context.Context, tx db.Tx) error {
			if err := l.RecordTx(ctx, tx, Entry{Kind: PushRepo, NamespaceID: loud, RepositoryID: 7}); err != nil {
				return err
			}
			return errUndone
		})
		if !errors.Is(err, errUndone) {
			t.Fatal(err)
		}
		check(t, l.Flush(t.Context()))
		c.add(2e9)
		pull(loud, 7, "latest", two)
		check(t, l.Flush(t.Context()))

		const day = 20779 // 2026-11-22
		if diff := cmp.Diff([]string{
			fmt.Sprintf("repository 7, day %d: 3 pulls, 1 pushes", day), fmt.Sprintf("repository 7, day %d: 1 pulls, 0 pushes", day+1),
		}, days(t, d)); diff != "" {
			t.Errorf("by day: %s", diff)
		}
		manifests := []string{
			"7 " + one.Hex()[:4] + ": 3, last 22 23:59:58 of " + one.Hex()[:4],
			"7 " + two.Hex()[:4] + ": 1, last 23 00:00:00 of " + two.Hex()[:4],
		}
		want := slices.Concat([]string{"7 latest: 3, last 23 00:00:00 of " + two.Hex()[:4]}, manifests,
			[]string{"8 latest: 1, last 22 23:59:58 of " + one.Hex()[:4], "8 " + one.Hex()[:4] + ": 1, last 22 23:59:58 of " + one.Hex()[:4]})
		if diff := cmp.Diff(want, statistics(t, d)); diff != "" {
			t.Errorf("by tag and manifest: %s", diff)
		}
		if n := rowsIn(t, d, "namespace_id = $1", quiet); n != 0 {
			t.Errorf("%d entries in a namespace whose pulls are not recorded", n)
		}
	})
}

func TestTagsAndManifestsAreNotCountedUnlessAskedFor(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := open(t, optionsFor(t, d, at("2026-11-22 10:00:00")))
		check(t, l.Pulled(Entry{Kind: PullRepo, NamespaceID: 1, RepositoryID: 7, Tag: "latest", Digest: digest.SHA256.Of(nil)}))
		check(t, l.Flush(t.Context()))
		if got := statistics(t, d); len(got) > 0 {
			t.Errorf("counted: %v", got)
		}
		if got := days(t, d); len(got) != 1 {
			t.Errorf("by day: %v", got)
		}
	})
}

// countedAs expects as many counted pulls as the log has.
func countedAs(t *testing.T, d *db.DB) {
	t.Helper()
	var sum int64
	check(t, d.QueryRow(t.Context(), "SELECT CAST(COALESCE(SUM(pulls), 0) AS BIGINT) FROM repo_day").Scan(&sum))
	if logged := rowsIn(t, d, "1 = 1"); sum != logged {
		t.Errorf("%d pulls are counted, %d are in the log", sum, logged)
	}
}

func TestWhatIsCountedSurvivesTheSpool(t *testing.T) {
	for _, c := range []counted{
		{}, {only: true}, {digest: digest.SHA256.Of(nil)}, {tag: "v1", digest: digest.SHA512.Of(nil), only: true},
	} {
		sent := row{atMS: 1, id: 2, kind: PullRepo, namespaceID: 3, repoID: 4, metadata: []byte(`{}`), counted: c}
		b := appendRow(nil, &sent)
		got, err := parseRow(b)
		check(t, err)
		if diff := cmp.Diff(sent.counted, got.counted, cmp.AllowUnexported(counted{}, digest.Digest{})); diff != "" || got.kind != sent.kind || string(got.metadata) != "{}" {
			t.Errorf("%+v became %+v", sent, got)
		}
		for n := range b {
			if r, err := parseRow(b[:n]); err == nil {
				t.Errorf("%d of %d bytes were read as %+v", n, len(b), r)
			}
		}
	}
	if _, err := parseRow(appendRow(nil, &row{atMS: 1, kind: 1 << 10, metadata: []byte(`{}`)})); err != nil {
		t.Errorf("a kind of a newer program: %v", err)
	}
}
