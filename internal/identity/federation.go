package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// maxTrustRules bounds a robot's list, which is read whole whenever a federated token is exchanged.
const maxTrustRules = 100

// TrustRule says whose OpenID Connect tokens speak for a robot: those of an issuer about a subject.
type TrustRule struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

// TokenVerifier checks tokens of OpenID Connect issuers. Verify gives the rule under which a token speaks; a refusal is
// Unauthenticated, with the code Unproven while nobody has shown that the token comes from the rule's issuer.
type TokenVerifier interface {
	Verify(ctx context.Context, token string, rules []TrustRule) (TrustRule, error)
}

// Unproven is the code of a TokenVerifier's refusal whose reason must not be told: it would say which rules there are.
const Unproven = "UNPROVEN"

// Federated is the robot for which an issuer's token speaks, and under which of its rules. It is Unauthenticated, with
// one text, for an unknown robot, one without such a rule, and a token that the issuer did not sign.
func (s *Service) Federated(ctx context.Context, robot, token string) (Principal, TrustRule, error) {
	if s.options.Federation == nil || !storable(robot) {
		return Principal{}, TrustRule{}, wrongRobot(robot)
	}
	rules, rev, err := s.trustRules(ctx, robot)
	if err != nil {
		return Principal{}, TrustRule{}, err
	}
	rule, err := s.options.Federation.Verify(ctx, token, rules)
	if problem.HasCode(err, Unproven) {
		return Principal{}, TrustRule{}, problem.Wrap(err, problem.Unauthenticated, "%s", problem.From(wrongRobot(robot)).Message)
	}
	if err != nil {
		return Principal{}, TrustRule{}, err
	}
	p, err := s.Current(ctx, RobotToken, robot, rev) // the rules may have been changed while the issuer was asked
	if err != nil {
		return Principal{}, TrustRule{}, err
	}
	s.uses.record(proof{credential: RobotToken, reference: robot})
	return p, rule, nil
}

// trustRules are those of a robot by its full name, with the account's revision under which they hold; none for a robot
// that does not exist.
func (s *Service) trustRules(ctx context.Context, robot string) (rules []TrustRule, rev int64, err error) {
	var stored string
	err = s.read.QueryRow(ctx, `SELECT COALESCE(t.federation, '[]'), a.access_rev`+robotTables+`
		WHERE a.name = $1 AND a.kind = 3 AND a.deleted_ms IS NULL`, robot).Scan(&stored, &rev)
	if errors.Is(err, db.ErrNoRows) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("look up the federation of robot %q: %w", robot, err)
	}
	rules, err = readTrustRules(robot, stored)
	return rules, rev, err
}

func readTrustRules(robot, stored string) ([]TrustRule, error) {
	rules := []TrustRule{}
	if err := json.Unmarshal([]byte(stored), &rules); err != nil {
		return nil, fmt.Errorf("read the federation of robot %q: %w", robot, err)
	}
	return rules, nil
}

// RobotFederation gives a robot's trust rules; an unknown robot is Invalid as in Robot.
func (s *Service) RobotFederation(ctx context.Context, owner Account, short string) ([]TrustRule, error) {
	name := RobotName(owner.Name, short)
	var stored string
	err := s.read.QueryRow(ctx, `SELECT COALESCE(t.federation, '[]')`+robotTables+`
		WHERE a.name = $1 AND a.owner_id = $2 AND a.kind = 3 AND a.deleted_ms IS NULL`, name, owner.ID).Scan(&stored)
	if errors.Is(err, db.ErrNoRows) {
		return nil, unknownRobot(name)
	}
	if err != nil {
		return nil, fmt.Errorf("look up the federation of robot %q: %w", name, err)
	}
	return readTrustRules(name, stored)
}

// SetRobotFederation replaces a robot's trust rules; none ends its federation. Registry tokens that the robot has stop
// working. It is Invalid for an incomplete or repeated rule, an issuer that is no URL, and an unknown robot.
func (s *Service) SetRobotFederation(ctx context.Context, owner Account, short string, rules []TrustRule) error {
	if err := checkTrustRules(rules); err != nil {
		return err
	}
	if rules == nil {
		rules = []TrustRule{}
	}
	stored, err := json.Marshal(rules)
	if err != nil {
		return err
	}
	kind, metadata := "create_robot_federation", map[string]any{"robot": short, "config": rules}
	if len(rules) == 0 {
		kind, metadata = "delete_robot_federation", map[string]any{"robot": short}
	}
	return s.db.Hard(ctx, "set robot federation", func(ctx context.Context, tx db.Tx) error {
		id, err := robotTx(ctx, tx, owner, short)
		if err != nil {
			return err
		}
		// Whoever has come in under a rule that is gone must not stay in.
		if _, err := tx.Exec(ctx, `UPDATE account SET access_rev = access_rev + 1 WHERE id = $1`, id); err != nil {
			return fmt.Errorf("set the federation of robot %d: %w", id, err)
		}
		n, err := tx.Exec(ctx, `UPDATE robot_token SET federation = $1 WHERE account_id = $2`, string(stored), id)
		if err != nil {
			return fmt.Errorf("set the federation of robot %d: %w", id, err)
		}
		if n == 0 {
			return problem.New(problem.Invalid, "The robot has no token yet: regenerate it before it can be federated")
		}
		s.changed(tx)
		return s.logTx(ctx, tx, kind, owner.ID, metadata)
	})
}

func checkTrustRules(rules []TrustRule) error {
	if len(rules) > maxTrustRules {
		return problem.New(problem.Invalid, "The federation has %d entries, allowed are %d", len(rules), maxTrustRules)
	}
	seen := map[TrustRule]bool{}
	for _, r := range rules {
		if r.Issuer == "" || r.Subject == "" {
			return problem.New(problem.Invalid, "Missing one or more required fields (issuer, subject)")
		}
		if !isIssuer(r.Issuer) {
			return problem.New(problem.Invalid, "Issuer must be a URL (http:// or https://)")
		}
		if seen[r] {
			return problem.New(problem.Invalid, "Duplicate federation config entry")
		}
		seen[r] = true
	}
	return nil
}

func isIssuer(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && u.User == nil && (strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://"))
}
