package identity

import (
	"context"
	"fmt"
	"strings"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// Registration is somebody who asks for an account.
type Registration struct {
	NewUser
	First      bool     // to be the first user of an empty registry, and nothing else
	Invite     string   // the code of an invitation into a team, empty for none
	InviteOnly bool     // without an invitation there is no account
	Confirm    bool     // the address has to be confirmed, unless the invitation went to it
	Prompts    []string // what the console shall ask
}

// Registered is the account that a registration made.
type Registered struct {
	Account
	Code string // confirms the address, when that has to be done
}

// Register makes a user for somebody who asks for an account. Reserved names are refused whoever asks.
//
// An empty registry takes a registration with First alone, and one that was used none of those: a stranger who finds
// an empty registry does not become its administrator by asking first, and of two first users at once one is made.
// The refusal is Forbidden in the first case, Invalid in the second.
func (s *Service) Register(ctx context.Context, r Registration) (Registered, error) {
	if err := s.refuseReserved(r.Name); err != nil {
		return Registered{}, err
	}
	if r.Password == "" {
		return Registered{}, ValidatePassword("")
	}
	row, err := s.prepareUser(ctx, r.NewUser)
	if err != nil {
		return Registered{}, err
	}
	var made Registered
	err = s.db.Hard(ctx, "register user", func(ctx context.Context, tx db.Tx) (err error) {
		made, err = s.registerTx(ctx, tx, r, row)
		return err
	})
	return made, err
}

func (s *Service) registerTx(ctx context.Context, tx db.Tx, r Registration, row newAccount) (Registered, error) {
	if err := s.firstTx(ctx, tx, r.First); err != nil {
		return Registered{}, err
	}
	invitation, invited, err := invitedTx(ctx, tx, r.Invite, r.Email)
	if err != nil {
		return Registered{}, err
	}
	if r.InviteOnly && !invited && !r.First {
		return Registered{}, problem.New(problem.Invalid, "Cannot create non-invited user")
	}
	row.verified = !r.Confirm || invited || r.First
	user, err := s.insertUserTx(ctx, tx, row)
	if err != nil {
		return Registered{}, err
	}
	for _, prompt := range r.Prompts {
		if _, err := tx.Exec(ctx, `INSERT INTO account_prompt (account_id, kind) VALUES ($1, $2)`, user.ID, prompt); err != nil {
			return Registered{}, fmt.Errorf("note what to ask %q: %w", user.Name, err)
		}
	}
	if invited {
		if err := s.acceptTx(ctx, tx, invitation, user); err != nil {
			return Registered{}, err
		}
	}
	if row.verified {
		return Registered{Account: user}, nil
	}
	code, err := s.newCodeTx(ctx, tx, user.ID, confirmAddress, "")
	return Registered{user, code}, err
}

// firstTx lets the first user in alone, and others only behind it.
func (s *Service) firstTx(ctx context.Context, tx db.Tx, first bool) error {
	if first {
		if err := tx.Lock(ctx, db.LockNamespace, allAccounts, db.Exclusive); err != nil {
			return err
		}
		s.changed(tx) // there is a first user now
	}
	some, err := hasAccountsTx(ctx, tx)
	switch {
	case err != nil:
		return err
	case first && some:
		return problem.New(problem.Invalid, "The first user of this registry was made already")
	case !first && !some:
		return problem.New(problem.Forbidden, "This registry has no user yet; the first one needs the set-up code that was printed at start")
	}
	return nil
}

// invitedTx finds the invitation with a code that went to an address. One that went to another address is none: the
// code proves that its owner reads that one.
func invitedTx(ctx context.Context, tx db.Tx, code, email string) (i invitation, found bool, err error) {
	if code == "" || email == "" {
		return invitation{}, false, nil
	}
	i, err = invitationTx(ctx, tx, code)
	if problem.Is(err, problem.Invalid) {
		return invitation{}, false, nil
	}
	return i, err == nil && i.email.Valid && strings.EqualFold(i.email.String, email), err
}
