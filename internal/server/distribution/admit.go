package distribution

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/identity/bearer"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
	"github.com/longshore-registry/longshore/internal/server/record"
)

// request is one request with what has been found out about it.
type request struct {
	*Handler
	w   http.ResponseWriter
	r   *http.Request
	rec *record.Record

	target target
	row    *row

	claims    bearer.Claims      // what the token says; zero without a token
	principal identity.Principal // for whom it speaks
	place     place              // the repository, for routes that name one
	perhaps   bool               // the place is from memory, and another process may have changed it
	mayPush   bool               // set on rows that make promises
}

// place is where a repository is or would be.
type place struct {
	repository registry.Repository // zero when it does not exist
	owner      identity.Account    // of the namespace; loaded for missing repositories only, zero when missing too
	namespace  string
	name       string
}

func (p place) exists() bool { return p.repository.ID != 0 }

// object is the place as package access sees it.
func (p place) object() access.Object {
	if p.exists() {
		return p.repository.Object()
	}
	o := p.container()
	o.Name = p.name
	return o
}

// container is the namespace in which a missing repository would be made.
func (p place) container() access.Object {
	return access.Object{NamespaceID: p.owner.ID, Namespace: p.namespace, NamespaceKind: p.owner.Kind, NamespaceEnabled: p.owner.Enabled}
}

// locate finds the row's repository, or the namespace that it would be in. Only for what names bytes by their digest, or
// a tag, which is looked up by itself, may the answer be from memory.
func (q *request) locate(ctx context.Context) error {
	if !q.row.remembers {
		return q.locateNow(ctx)
	}
	repo, exact, err := q.options.Registry.Remembered(ctx, q.target.namespace, q.target.name)
	if problem.Is(err, problem.NotFound) {
		return q.locateNow(ctx)
	}
	q.place = place{repository: repo, namespace: q.target.namespace, name: q.target.name}
	q.perhaps = !exact
	return err
}

// locateNow finds the repository as it is now.
func (q *request) locateNow(ctx context.Context) (err error) {
	q.perhaps = false
	q.place, err = q.Handler.locate(ctx, q.target.namespace, q.target.name)
	return err
}

// serve answers a request that was admitted. When nothing was found in a repository that was remembered, another may
// have taken its place.
func (q *request) serve() error {
	err := q.row.serve(q)
	if !q.perhaps || !problem.Is(err, problem.NotFound) {
		return err
	}
	before := q.place.repository.ID
	if again := q.enter(q.r.Context(), q.locateNow); again != nil {
		return again
	}
	if q.place.repository.ID == before {
		return err
	}
	return q.row.serve(q)
}

// locate finds a repository, or the namespace that it would be in.
func (h *Handler) locate(ctx context.Context, namespace, name string) (place, error) {
	p := place{namespace: namespace, name: name}
	var err error
	if p.repository, err = h.options.Registry.Repository(ctx, namespace, name); err == nil || !problem.Is(err, problem.NotFound) {
		return p, err
	}
	p.repository = registry.Repository{}
	if p.owner, err = h.options.Identity.Account(ctx, namespace); problem.Is(err, problem.NotFound) {
		p.owner, err = identity.Account{}, nil
	}
	return p, err
}

// admit decides whether the request may go on to its handler. What it needs is in the row, and nowhere else.
func (q *request) admit(ctx context.Context) error {
	if q.row.need == needNothing {
		return nil
	}
	if err := q.authenticate(ctx); err != nil {
		return err
	}
	switch q.row.need {
	case needOptionalToken:
		return nil
	case needToken:
		if !q.hasToken() {
			return unauthorized()
		}
		return nil
	}
	err := q.enter(ctx, q.locate)
	if err != nil && q.perhaps { // what was remembered is good enough to let in, not to send away
		err = q.enter(ctx, q.locateNow)
	}
	return err
}

// enter finds the row's repository and decides whether the request may use it.
func (q *request) enter(ctx context.Context, locate func(context.Context) error) error {
	if err := locate(ctx); err != nil {
		return err
	}
	if err := q.authorize(ctx); err != nil {
		return err
	}
	if !q.place.exists() && q.row.absent == absentUnknown {
		return nameUnknown(q.target.path)
	}
	return nil
}

// authorize compares the row's need with the rights.
func (q *request) authorize(ctx context.Context) error {
	rights := rights{handler: q.Handler, principal: q.principal, place: q.place, granted: q.grant(), pushing: q.row.pushes()}
	denial := access.NoRight
	var err error
	if q.row.need == needPush || q.row.promises {
		if denial, err = rights.push(ctx); err != nil {
			return err
		}
		q.mayPush = denial == access.Granted
	}
	if q.row.need == needPull && denial != access.Granted {
		if denial, err = rights.pull(ctx); err != nil {
			return err
		}
	}
	if denial == access.Granted && q.place.exists() {
		q.rec.Repository = q.place.repository.Path()
	}
	return q.refusal(denial)
}

// refusal puts a denial into words. Without the right the answer is 401 and a challenge, whoever asks: Quay knows no
// 403 here, and a client that gets 401 asks for a token with the scope it lacks. A read-only repository and a disabled
// namespace look the same; it is the token endpoint that explains.
func (q *request) refusal(denial access.Denial) error {
	switch denial {
	case access.Granted:
		return nil
	case access.ReadOnlyRegistry:
		return problem.New(problem.ReadOnly, "System is currently read-only. Pulls will succeed but all write operations are currently suspended.")
	case access.PushesOff:
		return problem.New(problem.Unsupported, "Pushes to this registry are switched off. Pulls will succeed.")
	case access.ApplicationRepository:
		return noImages(q.place)
	case access.Missing:
		return nameUnknown(q.target.path)
	}
	return unauthorized()
}

func unauthorized() error {
	return problem.New(problem.Unauthenticated, "access to the requested resource is not authorized").WithCode("UNAUTHORIZED")
}

func noImages(p place) error {
	return problem.New(problem.Unsupported, "repository %s holds applications, no images", p.repository.Path())
}

func nameUnknown(path string) error {
	return problem.New(problem.NotFound, "repository %s is not known to the registry", clip(path)).WithCode("NAME_UNKNOWN")
}
