package overview

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
)

// Seeker is who looks for something: what they cannot see is never found.
type Seeker struct {
	AccountID       int64 // 0 for nobody, who sees public repositories alone
	AllRepositories bool  // sees every repository
	AllNamespaces   bool  // sees the teams and robots of every namespace
}

// FoundRepository is a repository whose name has what was looked for.
type FoundRepository struct {
	ID           int64
	Owner        FoundAccount
	Name         string
	Description  string
	Public       bool
	Application  bool
	Rank         int // how well the name fits, at most 3
	Stars        int64
	LastModified time.Time // zero without a live tag
	Popularity   int64
}

// FoundAccount is a user, an organization or a robot.
type FoundAccount struct {
	ID    int64
	Kind  identity.Kind
	Name  string
	Email string
	Rank  int
}

// FoundTeam is a team.
type FoundTeam struct {
	Name         string
	Organization FoundAccount
	Rank         int
}

// repositoryShown is the condition that repository x is one that anybody is shown.
func repositoryShown() string {
	return `x.deleted_ms IS NULL AND x.state <> 3 AND ` + namespaceShown("x.namespace_id")
}

// namespaceShown is the condition that a namespace is one that anybody is shown. It is asked of each row: without the
// OFFSET, PostgreSQL joins accounts instead, and a join loses the order of the index that the rows come from.
func namespaceShown(id string) string {
	return `EXISTS (SELECT 1 FROM account o WHERE o.id = ` + id + ` AND o.deleted_ms IS NULL AND o.enabled = 1 LIMIT 1 OFFSET 0)`
}

// FindRepositories finds repositories that the seeker may read by a part of their name, or by namespace/beginning. The
// best fit comes first, then the order of names. One query.
func (r *Reader) FindRepositories(ctx context.Context, s Seeker, text string, offset, limit int, now time.Time) ([]FoundRepository, error) {
	n := newNeedle(text)
	if n == "" {
		return nil, nil
	}
	query, args := r.findRepositories(s, n, offset, limit, now)
	rows, err := r.db.QueryOnce(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("find repositories: %w", err)
	}
	defer rows.Close()
	var all []FoundRepository
	for rows.Next() {
		var f FoundRepository
		var email sql.NullString
		var modified sql.NullInt64
		if err := rows.Scan(&f.ID, &f.Owner.ID, &f.Owner.Kind, &f.Owner.Name, &email, &f.Name, &f.Description, &f.Public,
			&f.Application, &f.Rank, &f.Stars, &modified, &f.Popularity); err != nil {
			return nil, fmt.Errorf("find repositories: %w", err)
		}
		f.Owner.Email = email.String
		if modified.Valid {
			f.LastModified = db.Time(modified.Int64)
		}
		all = append(all, f)
	}
	return all, rows.Err()
}

func (r *Reader) findRepositories(s Seeker, n needle, offset, limit int, now time.Time) (string, []any) {
	const columns = `id, namespace_id, name` // what the order needs
	a, d := &arguments{}, r.db.Dialect()
	var parts []string
	namespace, rest, nested := strings.Cut(string(n), "/")
	find := func(from, where, tail string) {
		parts = append(parts, `SELECT `+columns+` FROM (`+selected(columns)+` FROM `+from+` WHERE `+where+` AND `+repositoryShown()+tail+`) AS part`+strconv.Itoa(len(parts)))
	}
	within := func(from, visible, tail string) {
		low, high := needle(rest).bounds()
		find(from, `x.namespace_id = (SELECT id FROM account WHERE deleted_ms IS NULL AND name = `+a.add(namespace)+`) AND x.name >= `+a.add(low)+` AND x.name < `+a.add(high)+
			` AND `+visible, tail)
	}
	open := func(c corpus, visible string) {
		parts = append(parts, `SELECT `+columns+` FROM (`+n.matches(a, d, c, columns, repositoryShown(), offset+limit)+`) AS matches`)
		if nested {
			within("repository x", visible, ` ORDER BY x.name LIMIT `+strconv.Itoa(maxMatches))
		}
	}
	if s.AllRepositories {
		open(allRepositories, "1 = 1")
	} else {
		open(publicRepositories, "x.visibility = 1")
	}
	if s.AccountID != 0 && !s.AllRepositories {
		own := ownIDs(a.add(s.AccountID)) + ` AS own` + d.LookUp("JOIN", "repository x", "own.id")
		find(own, n.inside(a, "x.name"), "")
		if nested {
			within(own, "1 = 1", "")
		}
	}
	fits := "f.name"
	if nested {
		fits = "(n.name || '/' || f.name)"
	}
	return `SELECT found.id, found.namespace_id, found.owner_kind, found.owner, found.email, found.name, x.description, CASE WHEN x.visibility = 1 THEN 1 ELSE 0 END,
			CASE WHEN x.kind = 2 THEN 1 ELSE 0 END, found.rank,
			(SELECT COUNT(*) FROM star s WHERE s.repo_id = found.id),
			(SELECT t.start_ms FROM tag t WHERE t.repo_id = found.id AND (t.expires_ms IS NULL OR t.expires_ms > ` + a.add(db.Millis(now)) + `)
				ORDER BY t.start_ms DESC LIMIT 1),
			` + popularitySince(a, "found.id", now) + `
		FROM (SELECT f.id, f.namespace_id, f.name, n.name AS owner, n.kind AS owner_kind, n.email, ` + n.rank(a, fits) + ` AS rank
			FROM (` + strings.Join(parts, " UNION ") + `) AS f` + d.LookUp("JOIN", "account n", "f.namespace_id") + `
			ORDER BY rank DESC, owner, f.name LIMIT ` + strconv.Itoa(limit) + ` OFFSET ` + a.add(offset) + `) AS found` + d.LookUp("JOIN", "repository x", "found.id") + `
		ORDER BY found.rank DESC, found.owner, found.name`, a.values
}

// accountColumns are what accounts reads, before a rank.
const accountColumns = `id, kind, name, email`

// FindPeople finds users and organizations. exact: by their whole names alone. One query.
func (r *Reader) FindPeople(ctx context.Context, text string, exact bool, limit int) ([]FoundAccount, error) {
	n := newNeedle(text)
	if n == "" {
		return nil, nil
	}
	query, args := r.findPeople(n, exact, limit)
	return r.accounts(ctx, query, args)
}

func (r *Reader) findPeople(n needle, exact bool, limit int) (string, []any) {
	a := &arguments{}
	if exact {
		return `SELECT ` + accountColumns + `, 3 FROM account x WHERE x.deleted_ms IS NULL AND x.enabled = 1 AND x.kind IN (1, 2) AND x.name = ` + a.add(string(n)), a.values
	}
	matches := n.matches(a, r.db.Dialect(), people, accountColumns, "x.enabled = 1", limit)
	return `SELECT ` + accountColumns + `, ` + n.rank(a, "f.name") + ` AS rank FROM (` + matches + `) AS f
		ORDER BY rank DESC, f.name LIMIT ` + strconv.Itoa(limit), a.values
}

// namespacesOf are the namespaces whose teams and robots an account sees: its own, and its organizations'.
func namespacesOf(viewer string) string {
	return `(SELECT CAST(` + viewer + ` AS BIGINT) AS id UNION
		SELECT t.organization_id AS id FROM team_member m JOIN team t ON t.id = m.team_id WHERE m.account_id = ` + viewer + `)`
}

// FindRobots finds robots of namespaces that the seeker belongs to, or of the one named. One query.
func (r *Reader) FindRobots(ctx context.Context, s Seeker, namespaceID int64, text string, limit int) ([]FoundAccount, error) {
	n := newNeedle(text)
	if n == "" || s.AccountID == 0 {
		return nil, nil
	}
	query, args := r.findRobots(s, namespaceID, n, limit)
	return r.accounts(ctx, query, args)
}

func (r *Reader) findRobots(s Seeker, namespaceID int64, n needle, limit int) (string, []any) {
	a := &arguments{}
	robots := selected(accountColumns) + ` FROM account x WHERE ` + qualify(allRobots.where)
	switch {
	case s.AllNamespaces && namespaceID == 0:
		robots = n.matches(a, r.db.Dialect(), allRobots, accountColumns, "x.enabled = 1", limit)
	case s.AllNamespaces:
		robots += ` AND x.owner_id = ` + a.add(namespaceID) + ` AND ` + n.inside(a, "x.name")
	default:
		robots = selected(accountColumns) + ` FROM ` + namespacesOf(a.add(s.AccountID)) + ` AS own JOIN account x ON x.owner_id = own.id
			WHERE ` + qualify(allRobots.where) + ` AND ` + n.inside(a, "x.name")
		if namespaceID != 0 {
			robots += ` AND x.owner_id = ` + a.add(namespaceID)
		}
	}
	return `SELECT ` + accountColumns + `, ` + n.rank(a, "f.name") + ` AS rank FROM (` + robots + `) AS f ORDER BY rank DESC, f.name LIMIT ` + strconv.Itoa(limit), a.values
}

func (r *Reader) accounts(ctx context.Context, query string, args []any) ([]FoundAccount, error) {
	rows, err := r.db.QueryOnce(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("find accounts: %w", err)
	}
	type row struct {
		FoundAccount
		email sql.NullString
	}
	list, err := collect(rows, func(x *row) []any { return []any{&x.ID, &x.Kind, &x.Name, &x.email, &x.Rank} })
	all := make([]FoundAccount, len(list))
	for i, x := range list {
		all[i] = x.FoundAccount
		all[i].Email = x.email.String
	}
	return all, err
}

// FindTeams finds teams of organizations that the seeker belongs to, or of the one named. One query.
func (r *Reader) FindTeams(ctx context.Context, s Seeker, organizationID int64, text string, limit int) ([]FoundTeam, error) {
	n := newNeedle(text)
	if n == "" || s.AccountID == 0 {
		return nil, nil
	}
	query, args := r.findTeams(s, organizationID, n, limit)
	rows, err := r.db.QueryOnce(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("find teams: %w", err)
	}
	type row struct {
		FoundTeam
		email sql.NullString
	}
	list, err := collect(rows, func(x *row) []any {
		o := &x.Organization
		return []any{&x.Name, &o.ID, &o.Kind, &o.Name, &x.email, &x.Rank}
	})
	all := make([]FoundTeam, len(list))
	for i, x := range list {
		all[i] = x.FoundTeam
		all[i].Organization.Email = x.email.String
	}
	return all, err
}

func (r *Reader) findTeams(s Seeker, organizationID int64, n needle, limit int) (string, []any) {
	const columns = `id, organization_id, name`
	a, d := &arguments{}, r.db.Dialect()
	var teams string
	switch {
	case s.AllNamespaces && organizationID == 0:
		teams = n.matches(a, d, allTeams, columns, namespaceShown("x.organization_id"), limit)
	case s.AllNamespaces:
		teams = selected(columns) + ` FROM team x WHERE x.organization_id = ` + a.add(organizationID) + ` AND ` + n.inside(a, "x.name")
	default:
		teams = selected(columns) + ` FROM ` + namespacesOf(a.add(s.AccountID)) + ` AS own JOIN team x ON x.organization_id = own.id WHERE ` + n.inside(a, "x.name")
		if organizationID != 0 {
			teams += ` AND x.organization_id = ` + a.add(organizationID)
		}
	}
	return `SELECT f.name, o.id, o.kind, o.name, o.email, ` + n.rank(a, "f.name") + ` AS rank
		FROM (` + teams + `) AS f` + d.LookUp("JOIN", "account o", "f.organization_id") + `
		WHERE o.deleted_ms IS NULL AND o.enabled = 1
		ORDER BY rank DESC, f.name, o.name LIMIT ` + strconv.Itoa(limit), a.values
}
