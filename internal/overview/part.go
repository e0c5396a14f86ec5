package overview

import (
	"strconv"
	"strings"

	"github.com/longshore-registry/longshore/internal/db"
)

const (
	// minPart is the length in bytes from which names are found by any part of them; shorter needles are looked for at
	// their beginning.
	minPart = 3
	// maxPart is the most bytes of a needle that count.
	maxPart = 255
	// maxMatches is how many names of one sort are weighed against each other: some more than the pages that a search has
	// show. Exact names and beginnings are always among them.
	maxMatches = 300
)

// corpus is a sort of names with its indexes (migration 4).
type corpus struct {
	table string
	where string   // the condition of PostgreSQL's partial indexes on parts
	sorts []string // the conditions, one for each part of the sort, with which an index gives names in their order
	class string   // the word that SQLite's index has for that condition; empty for all
}

// The sorts of names that can be looked through as a whole.
var (
	publicRepositories = corpus{"repository", "deleted_ms IS NULL AND visibility = 1", []string{"deleted_ms IS NULL AND visibility = 1"}, "public"}
	allRepositories    = corpus{"repository", "deleted_ms IS NULL", []string{"deleted_ms IS NULL"}, ""}
	people             = corpus{"account", "deleted_ms IS NULL AND kind IN (1, 2)", []string{"deleted_ms IS NULL AND kind = 1", "deleted_ms IS NULL AND kind = 2"}, "people"}
	allRobots          = corpus{"account", "deleted_ms IS NULL AND kind = 3", []string{"deleted_ms IS NULL AND kind = 3"}, "robot"}
	allTeams           = corpus{"team", "1 = 1", []string{"1 = 1"}, ""}
)

// needle is what is looked for, in lower case as all names are.
type needle string

// newNeedle brings what somebody typed into the form that names have.
func newNeedle(text string) needle {
	text = strings.ToLower(strings.TrimSpace(text))
	return needle(strings.ToValidUTF8(text[:min(len(text), maxPart)], ""))
}

// bounds are those between which the names that begin with the needle lie.
func (n needle) bounds() (from, to string) { return string(n), string(n) + "\U0010ffff" }

// inside is the condition that a column has the needle in it, for a few rows that were found otherwise.
func (n needle) inside(a *arguments, column string) string {
	escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(string(n))
	if len(n) < minPart {
		return column + ` LIKE ` + a.add(escaped+"%") + ` ESCAPE '\'`
	}
	return column + ` LIKE ` + a.add("%"+escaped+"%") + ` ESCAPE '\'`
}

// matches is a statement that gives columns of a sort's names with the needle, id first: those that begin with it, in order,
// and those that have it anywhere. Each half reads an index, and stops at maxMatches rows that also fulfil the condition
// shown on x. At least as many as are wanted are the best that there are. It is the one place that knows how the databases
// look for parts of names. PostgreSQL is to plan it for its needle (QueryOnce): of one that most names have, it reads
// some names, of a rare one the index of parts.
func (n needle) matches(a *arguments, dialect db.Dialect, c corpus, columns, shown string, wanted int) string {
	limit := strconv.Itoa(maxMatches)
	begin := n.beginning(a, c, columns, shown)
	if len(n) < minPart {
		return begin
	}
	begin = `WITH beginning AS MATERIALIZED (` + begin + `) SELECT ` + columns + ` FROM beginning UNION SELECT ` + columns + ` FROM (`
	of := selected(columns) + ` FROM `
	// A beginning fits better than a part: where there are enough of them, parts are not looked for.
	few := `(SELECT COUNT(*) FROM beginning) < ` + strconv.Itoa(wanted)
	if dialect == db.PostgreSQL {
		return begin + of + c.table + ` x WHERE ` + qualify(c.where) + ` AND ` + n.inside(a, "x.name") +
			` AND ` + shown + ` AND ` + few + ` LIMIT ` + limit + `) AS anywhere`
	}
	index := "search_" + c.table
	match := `name:"` + strings.ReplaceAll(string(n), `"`, `""`) + `"`
	if c.class != "" {
		match += ` AND class:"` + c.class + `"`
	}
	return begin + of + index + ` s JOIN ` + c.table + ` x ON x.id = s.rowid WHERE s.` + index + ` MATCH ` + a.add(match) +
		` AND ` + shown + ` LIMIT CASE WHEN ` + few + ` THEN ` + limit + ` ELSE 0 END) AS anywhere` // as a condition it would be asked of each match
}

// beginning is a statement that gives columns of the first maxMatches of a sort's names that begin with the needle.
func (n needle) beginning(a *arguments, c corpus, columns, shown string) string {
	from, to := n.bounds()
	low, high, tail := a.add(from), a.add(to), ` ORDER BY name LIMIT `+strconv.Itoa(maxMatches)
	parts := make([]string, len(c.sorts))
	for i, where := range c.sorts {
		parts[i] = `SELECT ` + columns + ` FROM (` + selected(columns) + ` FROM ` + c.table + ` x WHERE ` + qualify(where) + ` AND x.name >= ` + low + ` AND x.name < ` + high +
			` AND ` + shown + tail + `) AS sort` + strconv.Itoa(i)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return `SELECT ` + columns + ` FROM (` + strings.Join(parts, ` UNION ALL `) + `) AS sorts` + tail
}

// selected begins a statement that gives columns of x.
func selected(columns string) string { return `SELECT x.` + strings.ReplaceAll(columns, ", ", ", x.") }

// qualify says that a corpus' condition is about x.
func qualify(where string) string {
	for _, column := range []string{"deleted_ms", "visibility", "kind"} {
		where = strings.ReplaceAll(where, column, "x."+column)
	}
	return where
}

// rank says how well a name fits: 3 it is the needle, 2 it begins with it, 1 it has it somewhere.
func (n needle) rank(a *arguments, column string) string {
	from, to := n.bounds()
	exact := a.add(from)
	return `CASE WHEN ` + column + ` = ` + exact + ` THEN 3 WHEN ` + column + ` >= ` + exact + ` AND ` + column + ` < ` + a.add(to) + ` THEN 2 ELSE 1 END`
}
