package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

func TestAnEntryComesBackWithItsNames(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := at("2026-11-22 10:00:00")
		l := open(t, optionsFor(t, d, now))
		alice, acme := account(t, d, "alice", 1), account(t, d, "acme", 2)
		robot := account(t, d, "acme+ci", 3)
		record(t, l, Entry{Kind: CreateRepo, PerformerID: alice, NamespaceID: acme, RepositoryID: 7, IP: netip.MustParseAddr("::ffff:192.0.2.1"),
			Metadata: []Field{Text("repo", "app"), Text("namespace", "acme")}})
		now.add(time.Second)
		record(t, l, Entry{Kind: PushRepo, PerformerID: robot, NamespaceID: acme, RepositoryID: 7, IP: netip.MustParseAddr("2001:db8::1%eth0"),
			Metadata: []Field{Text("tag", `a"b\c`), Bool("is_robot", true), Int("n", -3)}})
		now.add(time.Second)
		record(t, l, Entry{Kind: ServiceKeyCreate, PerformerID: 4711})
		_, err := d.Exec(t.Context(), "UPDATE account SET deleted_ms = 1 WHERE id = $1", robot)
		check(t, err)
		want := []string{
			`2026-11-22 10:00:02 - service_key_create in -/0 from : {}`,
			`2026-11-22 10:00:01 acme+ci(3,deleted) push_repo in acme(2)/7 from 2001:db8::1: {"tag":"a\"b\\c","is_robot":true,"n":-3}`,
			`2026-11-22 10:00:00 alice(1) create_repo in acme(2)/7 from 192.0.2.1: {"repo":"app","namespace":"acme"}`,
		}
		if diff := cmp.Diff(want, list(t, l, ever(Query{}), 2)); diff != "" {
			t.Error(diff)
		}
		for claim, q := range map[string]Query{
			"the namespace's": {NamespaceID: acme}, "the repository's": {RepositoryID: 7},
			"without a kind": {Without: ServiceKeyKinds()}, "two kinds": {Kinds: []Kind{CreateRepo, PushRepo}},
		} {
			if diff := cmp.Diff(want[1:], list(t, l, ever(q), 10)); diff != "" {
				t.Errorf("%s: %s", claim, diff)
			}
		}
		if diff := cmp.Diff(want[1:2], list(t, l, ever(Query{NamespaceID: acme, PerformerID: robot}), 10)); diff != "" {
			t.Error(diff)
		}
		p, err := l.List(t.Context(), ever(Query{PerformerID: alice}), nil, 1)
		check(t, err)
		if p.Entries[0].Performer.Email != "alice@example.com" || p.Entries[0].Performer.ID != alice || p.Next != nil {
			t.Errorf("%+v", p)
		}
	})
}

func TestAnEntryIsThereExactlyIfItsChangeIs(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := open(t, optionsFor(t, d, at("2026-11-22 10:00:00")))
		mine := errors.New("mine")
		err := d.Hard(t.Context(), "change", func(ctx context.Context, tx db.Tx) error {
			if err := l.Change(ctx, tx, "create_team", 1, 0, nil); err == nil {
				t.Error("a kind that does not exist was taken")
			}
			check(t, l.Change(ctx, tx, "org_create_team", 1, 0, map[string]any{"team": "x"}))
			return mine
		})
		if err != mine || len(list(t, l, ever(Query{}), 10)) != 0 {
			t.Errorf("%v", err)
		}
		ctx := WithActor(t.Context(), Actor{AccountID: 9, IP: netip.MustParseAddr("192.0.2.9"), Fields: []Field{Text("oauth_token_id", "5"), Text("team", "not this")}})
		check(t, d.Hard(ctx, "change", func(ctx context.Context, tx db.Tx) error {
			return l.Change(ctx, tx, "org_create_team", 1, 0, map[string]any{"team": "x", "n": 1, "o": map[string]any{"k": "<&>"}, "none": nil})
		}))
		want := []string{`2026-11-22 10:00:00 - org_create_team in -/0 from 192.0.2.9: {"n":1,"none":null,"o":{"k":"<&>"},"team":"x","oauth_token_id":"5"}`}
		if diff := cmp.Diff(want, list(t, l, ever(Query{PerformerID: 9}), 10)); diff != "" {
			t.Error(diff)
		}
	})
}

// executing is a transaction that counts what it executes.
type executing struct {
	db.Tx
	n int
}

func (c *executing) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	c.n++
	return c.Tx.Exec(ctx, query, args...)
}

// TestManyEntriesOfAChangeTakeFewStatements, and are what as many changes record, in their order.
func TestManyEntriesOfAChangeTakeFewStatements(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := open(t, optionsFor(t, d, at("2026-11-22 10:00:00")))
		var many []map[string]any
		for n := range 500 {
			many = append(many, map[string]any{"tag": fmt.Sprintf("v%03d", n)})
		}
		var statements int
		for _, together := range []bool{false, true} {
			check(t, d.Hard(t.Context(), "change", func(ctx context.Context, tx db.Tx) error {
				c := &executing{Tx: tx}
				defer func() { statements = c.n }()
				if together {
					return l.Change(ctx, c, "delete_tag", 1, 2, many...)
				}
				for _, one := range many {
					if err := l.Change(ctx, c, "delete_tag", 1, 2, one); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		all := list(t, l, ever(Query{}), 100)
		if len(all) != 1000 || statements > 50 {
			t.Fatalf("%d entries, %d statements", len(all), statements)
		}
		if diff := cmp.Diff(all[500:], all[:500]); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEntriesThatCannotBe(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite)
	l := open(t, optionsFor(t, d, at("2026-11-22 10:00:00")))
	for claim, e := range map[string]Entry{
		"no kind":       {},
		"unknown kind":  {Kind: 9999},
		"before 1970":   {Kind: PushRepo, At: time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC)},
		"beyond a year": {Kind: PushRepo, At: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		err := d.Hard(t.Context(), "x", func(ctx context.Context, tx db.Tx) error { return l.RecordTx(ctx, tx, e) })
		if !problem.Is(err, problem.Internal) {
			t.Errorf("%s: recorded with %v", claim, err)
		}
		if err := l.Pulled(e); !problem.Is(err, problem.Internal) {
			t.Errorf("%s: pulled with %v", claim, err)
		}
	}
	if _, err := Fields(map[string]any{"x": math.NaN()}); err == nil {
		t.Error("a value without a JSON form was taken")
	}
}

func TestSilentNamespacesAndReadOnlyRegistriesRecordNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		all, pulls, loud := account(t, d, "all", 2), account(t, d, "pulls", 2), account(t, d, "loud", 2)
		o := optionsFor(t, d, at("2026-11-22 10:00:00"))
		o.Silent, o.SilentPulls = []string{"all", "later"}, []string{"pulls", "nobody"}
		l := open(t, o)
		readOnly := o
		readOnly.ReadOnly = true
		still := open(t, readOnly)
		later := account(t, d, "later", 2)
		check(t, l.listen(t.Context()))
		for _, id := range []int64{all, pulls, loud, later} {
			for _, log := range []*Log{l, still} {
				record(t, log, Entry{Kind: PushRepo, NamespaceID: id})
				check(t, log.Pulled(Entry{Kind: PullRepo, NamespaceID: id}))
				check(t, log.Flush(t.Context()))
			}
		}
		for id, want := range map[int64]int64{all: 0, pulls: 1, loud: 2, later: 0} {
			if n := rowsIn(t, d, "namespace_id = $1", id); n != want {
				t.Errorf("namespace %d has %d entries, expected %d", id, n, want)
			}
		}
		if s := l.Stats(); s.Skipped != 3 || s.Pulled != 1 || s.Stored != 1 || s.Recorded != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestKindsKeepTheirNumbersAndNames(t *testing.T) {
	if len(Kinds()) != 145 {
		t.Errorf("%d kinds", len(Kinds()))
	}
	for name, k := range map[string]Kind{
		"pull_repo": 1, "push_repo": 2, "create_tag": 17, "create_robot": 43, "org_create_team": 46, "service_key_rotate": 75,
		"autoprune_tag_delete": 76, "login_success": 106, "org_create": 109, "user_generate_client_key": 145,
	} {
		if got, ok := ParseKind(name); !ok || got != k || k.String() != name {
			t.Errorf("%s is %d (%v), %d is %s", name, got, ok, k, k)
		}
	}
	seen := map[string]bool{}
	for _, k := range Kinds() {
		if k.String() == "" || seen[k.String()] {
			t.Errorf("%d is %q", k, k.String())
		}
		seen[k.String()] = true
	}
	if Kind(0).String() != "unknown_0" || Kind(146).String() != "unknown_146" || len(ServiceKeyKinds()) != 6 {
		t.Error("unknown kinds, or those of service keys")
	}
	for _, test := range []struct {
		kind  Kind
		field string
		takes bool
	}{
		{PullRepo, "tag", true}, {PullRepo, "is_robot", true}, {PullRepo, "oauth_token_id", true}, {PullRepo, "team", false},
		{CreateApplication, "anything", true}, {AccountConvert, "x", false}, {Kind(0), "x", false},
	} {
		if got := test.kind.Takes(test.field); got != test.takes {
			t.Errorf("%s takes %s: %v", test.kind, test.field, got)
		}
	}
}

func TestMetadataIsTheJSONOfItsTexts(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(r, "value")
		limit := rapid.IntRange(0, 20).Draw(r, "limit")
		b := appendMetadata(nil, []Field{Text("a\x00", value), Int("n", 1)}, []Field{Text("n", "2"), Text("z", "")}, limit)
		var got map[string]any
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%q became %s: %v", value, b, err)
		}
		want, _ := got["a\x00"].(string)
		full := strings.ToValidUTF8(value, "\ufffd")
		if limit == 0 && want != decodeEach(value) || limit > 0 && (len(value) > limit) != (len(cut(value, limit)) < len(value)) || len(got) != 3 || got["n"] != 1.0 {
			t.Fatalf("%q (%q) became %s", value, full, b)
		}
		if !plain(b) {
			t.Fatalf("%s cannot be stored", b)
		}
	})
}

// decodeEach replaces each byte that is no UTF-8 by U+FFFD.
func decodeEach(s string) string { return string([]rune(s)) }

func FuzzParseRow(f *testing.F) {
	ip := netip.MustParseAddr("192.0.2.1")
	f.Add(appendRow(nil, &row{atMS: 5, id: 6, kind: PullRepo, namespaceID: 7, repoID: 8, performerID: 9, ip: ip, metadata: []byte("{}")}))
	f.Add(appendRow(nil, &row{atMS: 1 << 40, id: 1 << 60, kind: 32767, ip: netip.MustParseAddr("2001:db8::1"), metadata: []byte(`{"a":"b"}`)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRow(b)
		if err != nil {
			return
		}
		again, err := parseRow(appendRow(nil, &r))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(r) {
			t.Fatalf("%x is %v, and %v (%v) when written again", b, r, again, err)
		}
		if !storable(r.atMS) || !plain(r.metadata) || len(r.appendValues(nil)) != rowColumns {
			t.Fatalf("%x is %v", b, r)
		}
	})
}
