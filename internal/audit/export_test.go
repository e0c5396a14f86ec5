package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

func TestAnExportIsQuaysFile(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := at("2026-10-31 23:59:00")
		l := open(t, optionsFor(t, d, now))
		acme := account(t, d, "acme", 2)
		for n := range 2500 {
			check(t, l.Pulled(Entry{Kind: PullRepo, NamespaceID: acme, Metadata: []Field{Int("n", int64(n))}}))
			now.add(time.Second)
		}
		check(t, l.Flush(t.Context()))
		name := "acme"
		var out bytes.Buffer
		n, err := l.WriteExport(t.Context(), &out, Export{ID: "the-id", Details: ExportDetails{StartTime: "a", EndTime: "b", Namespace: &name}},
			ever(Query{NamespaceID: acme}), func(r Recorded) any { return map[string]any{"kind": r.Kind, "metadata": r.Metadata} })
		check(t, err)
		var file struct {
			ID      string         `json:"export_id"`
			Details map[string]any `json:"details"`
			Logs    []struct {
				Kind       string         `json:"kind"`
				Metadata   map[string]int `json:"metadata"`
				Terminator bool           `json:"terminator"`
			} `json:"logs"`
		}
		check(t, json.Unmarshal(out.Bytes(), &file))
		if diff := cmp.Diff(map[string]any{"start_time": "a", "end_time": "b", "namespace": "acme", "repository": nil}, file.Details); diff != "" {
			t.Error(diff)
		}
		if file.ID != "the-id" || n != 2500 || len(file.Logs) != 2501 || !file.Logs[2500].Terminator {
			t.Fatalf("%s with %d entries, %d counted", file.ID, len(file.Logs), n)
		}
		for i, e := range file.Logs[:2500] {
			if e.Kind != "pull_repo" || e.Metadata["n"] != 2499-i || e.Terminator {
				t.Fatalf("entry %d is %+v", i, e)
			}
		}
	})
}

func TestAnExportEndsWithItsReaderOrItsContext(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite)
	l := open(t, optionsFor(t, d, at("2026-10-31 23:59:00")))
	record(t, l, Entry{Kind: PushRepo}, Entry{Kind: PushRepo})
	n := 0
	for _, err := range l.All(t.Context(), ever(Query{})) {
		check(t, err)
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d entries after a break", n)
	}
	entry := func(r Recorded) any { return r.Kind }
	if _, err := l.WriteExport(t.Context(), full{}, Export{}, ever(Query{}), entry); !errors.Is(err, errAway) {
		t.Errorf("a full disk: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if _, err := l.WriteExport(ctx, &out, Export{}, ever(Query{}), entry); err == nil || bytes.Contains(out.Bytes(), []byte("terminator")) {
		t.Errorf("a context that has ended: %v, %s", err, out.Bytes())
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errAway }
