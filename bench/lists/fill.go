package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
)

const (
	yearMS    = 365 * 24 * 60 * 60 * 1000
	manifests = 1000 // of acme/big, at most
)

// filler puts rows into a database that no program has open. The first error ends it.
type filler struct {
	db  *db.DB
	now time.Time
	err error
}

// fill makes an installation of a size, in which root owns the organizations acme and catalog and the user few may read
// three repositories of each.
func fill(ctx context.Context, d *db.DB, s size, spool string) error {
	f := &filler{db: d, now: time.Now()}
	f.repositories(ctx, s)
	f.tags(ctx, s)
	f.people(ctx, s)
	f.log(ctx, s, spool)
	return f.err
}

// run executes a statement in a transaction of its own.
func (f *filler) run(ctx context.Context, query string, args ...any) {
	if f.err != nil {
		return
	}
	err := f.db.Soft(ctx, "fill", func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	})
	if err != nil {
		f.err = fmt.Errorf("%.200s: %w", query, err)
	}
}

// numbers runs INSERT INTO … SELECT … FROM n for each i from 1 to count, in slices so that no transaction grows large.
// The parameters $1 and $2 are the slice's.
func (f *filler) numbers(ctx context.Context, count int, insert string, args ...any) {
	const slice = 20_000
	for from := 1; from <= count; from += slice {
		f.run(ctx, `WITH RECURSIVE n (i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $2) `+insert,
			append([]any{from, min(from+slice-1, count)}, args...)...)
	}
}

// id is a subquery for an account's id.
func id(name string) string {
	return "(SELECT id FROM account WHERE name = '" + name + "' AND deleted_ms IS NULL)"
}

// repositories: every second of acme and every tenth of catalog are public, all names of catalog have "service" in them, and those of
// the first five "zebra".
func (f *filler) repositories(ctx context.Context, s size) {
	const into = `INSERT INTO repository (namespace_id, name, visibility, badge_token, created_ms, description) SELECT `
	const rest = `, CASE WHEN i % $3 = 0 THEN 1 ELSE 2 END, 'b', 0, 'number ' || i FROM n`
	f.numbers(ctx, s.repositories, into+id("acme")+`, 'app-' || i`+rest, 2)
	f.numbers(ctx, s.catalog, into+id("catalog")+`, 'service-' || i || CASE WHEN i <= 5 THEN '-zebra' ELSE '-api' END`+rest, 10)
	f.run(ctx, `INSERT INTO star (account_id, repo_id, created_ms) SELECT `+id("root")+`, r.id, 0 FROM repository r
		WHERE r.namespace_id = `+id("acme")+` ORDER BY r.id LIMIT $1`, s.starred)
	f.run(ctx, `INSERT INTO repository_permission (repo_id, account_id, role) SELECT r.id, `+id("few")+`, 3 FROM repository r
		WHERE r.name IN ('app-1', 'app-2', 'app-3', 'service-1-zebra', 'service-7-api', 'service-8-api')`)
}

// tags: a tag in each repository of acme, and in acme/big a year of them, the last as many as begin their name with "rc".
func (f *filler) tags(ctx context.Context, s size) {
	for i := range min(manifests, s.tags) {
		body := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{"n":"%d"}}`, i)
		f.run(ctx, `INSERT INTO manifest (digest, media_type, size, kind, layers_size, created_ms)
			VALUES ($1, 'application/vnd.oci.image.manifest.v1+json', $2, 1, 1000, 0)`, digest.SHA256.Of([]byte(body)).Bytes(), len(body))
	}
	f.run(ctx, `INSERT INTO repository (namespace_id, name, visibility, badge_token, created_ms) VALUES (`+id("acme")+`, 'big', 2, 'b', 0)`)
	const big = `(SELECT id FROM repository WHERE name = 'big')`
	f.run(ctx, `INSERT INTO repo_manifest (repo_id, manifest_id, pushed_ms) SELECT `+big+`, id, 0 FROM manifest`)
	f.run(ctx, `INSERT INTO repo_manifest (repo_id, manifest_id, pushed_ms) SELECT id, 1, 0 FROM repository WHERE namespace_id = `+id("acme")+` AND name <> 'big'`)
	now := db.Millis(f.now)
	f.run(ctx, `INSERT INTO tag (repo_id, name, manifest_id, digest, start_ms) SELECT r.id, 'latest', 1, m.digest, CAST($1 AS BIGINT) FROM repository r
		JOIN manifest m ON m.id = 1 WHERE r.namespace_id = `+id("acme")+` AND r.name <> 'big'`, now-yearMS/2)
	kept, step := min(manifests, s.tags), int64(yearMS)/int64(s.tags)
	f.numbers(ctx, s.tags, `INSERT INTO tag (repo_id, name, manifest_id, digest, start_ms)
		SELECT `+big+`, CASE WHEN i % 1000 = 7 THEN 'rc-' ELSE 'v' END || i, m.id, m.digest, CAST($3 AS BIGINT) + i * CAST($4 AS BIGINT)
		FROM n JOIN manifest m ON m.id = 1 + i % CAST($5 AS BIGINT)`, now-yearMS, step, kept)
	f.numbers(ctx, s.tags, `INSERT INTO tag_history (repo_id, name, manifest_id, start_ms, end_ms, purge_ms)
		SELECT `+big+`, 'v' || i, 1 + i % CAST($5 AS BIGINT), CAST($3 AS BIGINT) + i * CAST($4 AS BIGINT) - 1000, CAST($3 AS BIGINT) + i * CAST($4 AS BIGINT), CAST($6 AS BIGINT)
		FROM n`, now-yearMS, step, kept, now+yearMS)
}

// people: users, teams of acme with five of them each, one team that a tenth of acme's repositories is open to, and
// robots, all with the token of the one that the API has made.
func (f *filler) people(ctx context.Context, s size) {
	f.numbers(ctx, s.users, `INSERT INTO account (uuid, kind, name, email, tag_window_s) SELECT 'user-' || i, 1, 'person' || i, 'person' || i || '@example.org', 0 FROM n`)
	f.numbers(ctx, s.robots, `INSERT INTO account (uuid, kind, name, owner_id, tag_window_s, created_ms) SELECT 'robot-' || i, 3, 'acme+robot' || i, `+id("acme")+`, 0, 0 FROM n`)
	f.run(ctx, `INSERT INTO robot_token (account_id, token) SELECT id, (SELECT token FROM robot_token) FROM account
		WHERE kind = 3 AND name <> 'acme+model'`)
	f.numbers(ctx, s.teams, `INSERT INTO team (organization_id, name, role) SELECT `+id("acme")+`, 'team' || i, 3 FROM n`)
	for k := range 5 {
		f.numbers(ctx, s.teams, `INSERT INTO team_member (team_id, account_id)
			SELECT t.id, a.id FROM n JOIN team t ON t.name = 'team' || i AND t.organization_id = `+id("acme")+`
			JOIN account a ON a.name = 'person' || (1 + (i * 2 + CAST($3 AS BIGINT)) % CAST($4 AS BIGINT))`, k, s.users)
	}
	f.run(ctx, `INSERT INTO repository_permission (repo_id, team_id, role)
		SELECT r.id, t.id, 3 FROM repository r JOIN team t ON t.name = 'team1' AND t.organization_id = r.namespace_id
		WHERE r.namespace_id = `+id("acme")+` AND r.name LIKE '%1'`)
}

// log spreads entries over a year. The log itself makes the months' tables, by an entry in each.
func (f *filler) log(ctx context.Context, s size, spool string) {
	if f.err != nil {
		return
	}
	log, err := audit.Open(ctx, audit.Options{DB: f.db, Dir: spool, Clock: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.err = err
		return
	}
	defer func() { _ = log.Close(ctx) }()
	const months = 12
	each := s.entries / months
	for back := range months {
		from := time.Date(f.now.Year(), f.now.Month()-time.Month(back), 1, 0, 0, 0, 0, time.UTC)
		if f.err = log.Record(ctx, audit.Entry{Kind: audit.CreateRepo, At: from}); f.err != nil {
			return
		}
		to := from.AddDate(0, 1, 0)
		if to.After(f.now) {
			to = f.now
		}
		f.numbers(ctx, each, `INSERT INTO `+from.Format("audit_200601")+` (at_ms, id, kind, namespace_id, repo_id, performer_id, ip, metadata)
			SELECT CAST($3 AS BIGINT) + i * CAST($4 AS BIGINT), i, 1 + i % 3, `+id("acme")+`, CASE WHEN i % 2 = 0 THEN (SELECT id FROM repository WHERE name = 'big') END,
				`+id("root")+`, '10.0.0.1', '{"repo":"big","namespace":"acme","tag":"v' || i || '"}' FROM n`,
			db.Millis(from), max(1, to.Sub(from).Milliseconds()/int64(each)))
	}
}
