package identity

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// maxRobotMetadata bounds a robot's metadata (rest-api §8: bodies up to 1 MiB).
const maxRobotMetadata = 1 << 20

// RobotInfo is a robot with what its namespace's administrators see.
type RobotInfo struct {
	Account
	Description string
	Metadata    string    // a JSON object
	Token       string    // empty where it was not asked for
	LastUsed    time.Time // zero when never
}

// CreateRobot makes a robot owner+short of a user or an organization. An empty metadata is an empty object.
func (s *Service) CreateRobot(ctx context.Context, owner Account, short, description, metadata string) (RobotInfo, error) {
	if metadata == "" {
		metadata = "{}"
	}
	if err := s.checkRobot(owner, short, description, metadata); err != nil {
		return RobotInfo{}, err
	}
	token := randomToken(robotTokenSize)
	sealed, err := s.fields.Encrypt(token)
	if err != nil {
		return RobotInfo{}, err
	}
	info := RobotInfo{Description: description, Metadata: metadata, Token: token}
	row := newAccount{kind: Robot, name: RobotName(owner.Name, short), owner: owner.ID, verified: true}
	err = s.db.Hard(ctx, "create robot", func(ctx context.Context, tx db.Tx) (err error) {
		if err := namespaceLivesTx(ctx, tx, owner); err != nil {
			return err
		}
		if info.Account, err = s.insertAccountTx(ctx, tx, row); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO robot_token (account_id, token, description, metadata) VALUES ($1, $2, $3, $4)`,
			info.ID, sealed, description, metadata)
		if err != nil {
			return fmt.Errorf("create robot %q: %w", row.name, err)
		}
		return s.logTx(ctx, tx, "create_robot", owner.ID, map[string]any{
			"robot": short, "description": description, "unstructured_metadata": json.RawMessage(metadata),
		})
	})
	if err != nil {
		return RobotInfo{}, err
	}
	return info, nil
}

// namespaceLivesTx orders the making of a robot with the deletion of its namespace, and with its getting another name:
// the robot's holds it.
func namespaceLivesTx(ctx context.Context, tx db.Tx, owner Account) error {
	if err := tx.Lock(ctx, db.LockNamespace, owner.ID, db.Shared); err != nil {
		return err
	}
	now, err := accountTx(ctx, tx, owner.ID)
	if err == nil && now.Name != owner.Name {
		return unknownAccount(owner.Name)
	}
	return err
}

func (s *Service) checkRobot(owner Account, short, description, metadata string) error {
	if owner.Kind != User && owner.Kind != Organization {
		return problem.New(problem.Invalid, "%s can have no robots; users and organizations can", quoted(owner.Name))
	}
	if err := ValidateRobotShortName(short); err != nil {
		return err
	}
	if n := utf8.RuneCountInString(description); n > maxDescription || !storable(description) {
		return problem.New(problem.Invalid, "The description of a robot has %d characters, allowed are %d of UTF-8 without NUL", n, maxDescription)
	}
	var object map[string]json.RawMessage
	if len(metadata) > maxRobotMetadata || !storable(metadata) || json.Unmarshal([]byte(metadata), &object) != nil || object == nil {
		return problem.New(problem.Invalid, "The metadata of a robot must be a JSON object of at most %d bytes", maxRobotMetadata)
	}
	if err := s.robotAllowed(RobotName(owner.Name, short)); err != nil {
		return problem.New(problem.Invalid, "%s", problem.From(err).Message)
	}
	return nil
}

const robotColumns = accountColumns + `, t.token, t.description, t.metadata, t.last_used_ms`

const robotTables = ` FROM account a LEFT JOIN robot_token t ON t.account_id = a.id`

// scanRobot reads robotColumns. A robot of an imported Quay may lack what newer ones have.
func (s *Service) scanRobot(row db.Row, withToken bool) (RobotInfo, error) {
	var t accountTargets
	var sealed, description, metadata sql.NullString
	var used sql.NullInt64
	if err := row.Scan(t.pointers(&sealed, &description, &metadata, &used)...); err != nil {
		return RobotInfo{}, err
	}
	r := RobotInfo{Account: t.fill(), Description: description.String, Metadata: metadata.String, LastUsed: nullTime(used)}
	if !metadata.Valid {
		r.Metadata = "{}"
	}
	if !withToken || !sealed.Valid {
		return r, nil
	}
	var err error
	r.Token, err = s.decrypt("token of robot "+r.Name, sealed.String)
	return r, err
}

// Robot gives a robot of an owner with its token. An unknown one is Invalid, as in Quay (rest-api §8).
func (s *Service) Robot(ctx context.Context, owner Account, short string) (RobotInfo, error) {
	name := RobotName(owner.Name, short)
	r, err := s.scanRobot(s.read.QueryRow(ctx, `SELECT `+robotColumns+robotTables+`
		WHERE a.name = $1 AND a.owner_id = $2 AND a.kind = 3 AND a.deleted_ms IS NULL`, name, owner.ID), true)
	if errors.Is(err, db.ErrNoRows) {
		return RobotInfo{}, unknownRobot(name)
	}
	if err != nil {
		return RobotInfo{}, fmt.Errorf("look up robot %q: %w", name, err)
	}
	return r, nil
}

func unknownRobot(name string) error {
	return problem.New(problem.Invalid, "Could not find robot with username: %s", name)
}

// Robots lists an owner's robots by name; a limit of 0 is none.
func (s *Service) Robots(ctx context.Context, owner Account, withToken bool, limit int) ([]RobotInfo, error) {
	if limit <= 0 {
		limit = maxRobots
	}
	rows, err := s.read.Query(ctx, `SELECT `+robotColumns+robotTables+`
		WHERE a.owner_id = $1 AND a.deleted_ms IS NULL ORDER BY a.name LIMIT $2`, owner.ID, limit)
	if err != nil {
		return nil, fmt.Errorf("list the robots of %q: %w", owner.Name, err)
	}
	defer rows.Close()
	var robots []RobotInfo
	for rows.Next() {
		r, err := s.scanRobot(rows, withToken)
		if err != nil {
			return nil, fmt.Errorf("list the robots of %q: %w", owner.Name, err)
		}
		robots = append(robots, r)
	}
	return robots, rows.Err()
}

// maxRobots bounds a list without a limit.
const maxRobots = 100_000

// RegenerateRobot gives a robot a new token. The old one and registry tokens made with it stop working.
func (s *Service) RegenerateRobot(ctx context.Context, owner Account, short string) (RobotInfo, error) {
	sealed, err := s.fields.Encrypt(randomToken(robotTokenSize))
	if err != nil {
		return RobotInfo{}, err
	}
	err = s.db.Hard(ctx, "regenerate robot", func(ctx context.Context, tx db.Tx) error {
		id, err := robotTx(ctx, tx, owner, short)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE account SET access_rev = access_rev + 1 WHERE id = $1`, id); err != nil {
			return fmt.Errorf("regenerate robot %d: %w", id, err)
		}
		_, err = tx.Exec(ctx, `INSERT INTO robot_token (account_id, token) VALUES ($1, $2)
			ON CONFLICT (account_id) DO UPDATE SET token = excluded.token`, id, sealed)
		if err != nil {
			return fmt.Errorf("regenerate robot %d: %w", id, err)
		}
		s.changed(tx)
		return s.logTx(ctx, tx, "regenerate_robot_token", owner.ID, map[string]any{"robot": short})
	})
	if err != nil {
		return RobotInfo{}, err
	}
	return s.Robot(ctx, owner, short)
}

// DeleteRobot deletes a robot with its permissions and memberships. Its row stays for the audit log; the name is free.
func (s *Service) DeleteRobot(ctx context.Context, owner Account, short string) error {
	return s.db.Hard(ctx, "delete robot", func(ctx context.Context, tx db.Tx) error {
		id, err := robotTx(ctx, tx, owner, short)
		if err != nil {
			return err
		}
		if err := requireNoMirrorTx(ctx, tx, id); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE account SET deleted_ms = $1, enabled = 0, access_rev = access_rev + 1 WHERE id = $2`, s.nowMillis(), id)
		if err != nil {
			return fmt.Errorf("delete robot %d: %w", id, err)
		}
		for _, statement := range []string{
			`DELETE FROM robot_token WHERE account_id = $1`,
			`DELETE FROM repository_permission WHERE account_id = $1`,
			`DELETE FROM permission_prototype WHERE activating_id = $1`,
			`DELETE FROM permission_prototype WHERE delegate_account_id = $1`,
			`DELETE FROM team_member WHERE account_id = $1`,
		} {
			if _, err := tx.Exec(ctx, statement, id); err != nil {
				return fmt.Errorf("delete robot %d: %w", id, err)
			}
		}
		s.changed(tx)
		return s.logTx(ctx, tx, "delete_robot", owner.ID, map[string]any{"robot": short})
	})
}

// requireNoMirrorTx refuses a robot in whose name a mirror works.
func requireNoMirrorTx(ctx context.Context, tx db.Tx, robotID int64) error {
	var uses int64
	err := tx.QueryRow(ctx, `SELECT (SELECT COUNT(*) FROM mirror WHERE robot_id = $1) + (SELECT COUNT(*) FROM organization_mirror WHERE robot_id = $1)`, robotID).Scan(&uses)
	if err != nil {
		return fmt.Errorf("look for mirrors of robot %d: %w", robotID, err)
	}
	if uses > 0 {
		return problem.New(problem.Invalid, "Robot is being used by a mirror")
	}
	return nil
}

func robotTx(ctx context.Context, tx db.Tx, owner Account, short string) (int64, error) {
	name := RobotName(owner.Name, short)
	var id int64
	err := tx.QueryRow(ctx, `SELECT id FROM account WHERE name = $1 AND owner_id = $2 AND kind = 3 AND deleted_ms IS NULL`+tx.ForUpdate(),
		name, owner.ID).Scan(&id)
	if errors.Is(err, db.ErrNoRows) {
		return 0, unknownRobot(name)
	}
	if err != nil {
		return 0, fmt.Errorf("look up robot %q: %w", name, err)
	}
	return id, nil
}
