package distribution

import (
	"context"
	"time"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

// A push that is told that somebody else has just made its repository looks for it so many times, so long apart: the
// other's commit may be a moment away.
const (
	makeAttempts = 5
	makePause    = 20 * time.Millisecond
)

// makeRepository makes the repository of a push that does not exist yet, and with CREATE_NAMESPACE_ON_PUSH its
// organization. That the caller may has been decided. Whoever finds that somebody else was first pushes there if they
// may, and is asked for a better token otherwise.
func (q *request) makeRepository(ctx context.Context) error {
	var taken error
	for attempt := range makeAttempts {
		if attempt > 0 {
			if err := q.lookAgain(ctx); err != nil {
				return err
			}
		}
		if q.place.exists() {
			return nil
		}
		var err error
		if taken, err = q.make(ctx); taken == nil {
			return err
		}
	}
	return taken
}

// make makes what is missing. taken is what to say when somebody else turns out to have done so, and is nowhere seen.
func (q *request) make(ctx context.Context) (taken, err error) {
	ctx = q.acting(ctx)
	if q.place.owner.ID == 0 {
		if taken, err := q.makeOrganization(ctx); taken != nil || err != nil {
			return taken, err
		}
	}
	made, err := q.options.Registry.CreateRepository(ctx, registry.NewRepository{
		NamespaceID: q.place.owner.ID,
		Name:        q.place.name,
		Public:      q.options.CreatePublic,
		CreatorID:   q.principal.Account.ID,
	})
	if problem.Is(err, problem.Conflict) {
		return problem.Wrap(err, problem.Unavailable, "repository %s is being made and deleted at this moment, try again", clip(q.target.path)), nil
	}
	if err != nil {
		return nil, err
	}
	q.place.repository = made
	q.rec.Repository = made.Path()
	return nil, nil
}

// makeOrganization makes the namespace. A name that is refused is either no good or was taken a moment ago.
func (q *request) makeOrganization(ctx context.Context) (taken, err error) {
	pusher := q.principal.Account
	email := identity.OrganizationEmail(pusher.Email, q.place.namespace)
	made, err := q.options.Identity.CreateOrganizationOnPush(ctx, q.place.namespace, email, pusher.ID)
	if problem.Is(err, problem.Invalid) || problem.Is(err, problem.Conflict) {
		return problem.Wrap(err, problem.Unsupported, "Cannot create organization"), nil
	}
	if err == nil {
		q.place.owner = made
	}
	return nil, err
}

// lookAgain starts over, a moment later, with what is there then.
func (q *request) lookAgain(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(makePause):
	}
	if err := q.locateNow(ctx); err != nil {
		return err
	}
	return q.authorize(ctx)
}
