package access

import (
	"context"
	"fmt"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
)

// The parts of the answer to factsQuery.
const (
	fromNamespaceTeam = 1
	fromAccount       = 2
	fromTeam          = 3
)

// factsQuery asks for everything in one round trip. Each part is one walk of an index: the account's teams of the
// organization, its permission on the repository, the permissions of its teams on the repository.
const factsQuery = `SELECT 1, t.role, t.name FROM team_member m
		JOIN team t ON t.id = m.team_id
		WHERE m.account_id = $1 AND t.organization_id = $2
	UNION ALL
	SELECT 2, p.role, '' FROM repository_permission p
		WHERE p.repo_id = $3 AND p.account_id = $1
	UNION ALL
	SELECT 3, p.role, t.name FROM repository_permission p
		JOIN team_member m ON m.team_id = p.team_id AND m.account_id = $1
		JOIN team t ON t.id = p.team_id
		WHERE p.repo_id = $3`

// factsKey names the facts about an account and an object.
type factsKey struct {
	account, namespace, repository int64
}

// keyOf gives the key; known is true when the facts follow without asking the database.
func keyOf(p identity.Principal, o Object) (key factsKey, known bool) {
	key = factsKey{p.Account.ID, o.NamespaceID, o.RepositoryID}
	return key, key.account == 0 || key.namespace == 0 || key.account == key.namespace
}

// simpleFacts are the facts that keyOf says are known: nothing, or that the namespace is the principal's own.
func simpleFacts(key factsKey) Facts {
	return Facts{Owner: key.account != 0 && key.account == key.namespace}
}

// loadFacts asks the database.
func loadFacts(ctx context.Context, q db.Queryer, key factsKey) (Facts, error) {
	rows, err := q.Query(ctx, factsQuery, key.account, key.namespace, key.repository)
	if err != nil {
		return Facts{}, fmt.Errorf("look up permissions: %w", err)
	}
	defer rows.Close()
	var f Facts
	for rows.Next() {
		var part, role int64
		var team string
		if err := rows.Scan(&part, &role, &team); err != nil {
			return Facts{}, fmt.Errorf("look up permissions: %w", err)
		}
		f.add(part, role, team)
	}
	if err := rows.Err(); err != nil {
		return Facts{}, fmt.Errorf("look up permissions: %w", err)
	}
	return f, nil
}

// add keeps the best role of each part; of teams with the same role the first by name, so that reasons are stable.
func (f *Facts) add(part, role int64, team string) {
	switch part {
	case fromNamespaceTeam:
		r := TeamRole(role)
		if f.TeamRole == 0 || r < f.TeamRole || r == f.TeamRole && team < f.Team {
			f.TeamRole, f.Team = r, team
		}
	case fromAccount:
		f.Direct = Role(role)
	case fromTeam:
		r := Role(role)
		if f.ByTeam == NoRole || r < f.ByTeam || r == f.ByTeam && team < f.ByTeamName {
			f.ByTeam, f.ByTeamName = r, team
		}
	}
}
