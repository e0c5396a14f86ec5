package distribution

import (
	"context"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

// mountCandidates bounds how many repositories are asked for a blob that the client did not say the home of.
const mountCandidates = 32

// mount makes a blob of another repository visible in the request's one. The other repository must be one that the
// caller may pull from now; which scopes the token has is not asked, since without from the client cannot know which
// it would need. Whatever is in the way, the client uploads the blob instead: there is no error to learn from.
func (q *request) mount(ctx context.Context, d digest.Digest, from string) (content.Blob, bool, error) {
	if blob, err := q.options.Content.Stat(ctx, q.place.repository.ID, d, true); err == nil {
		return blob, true, nil
	} else if !problem.Is(err, problem.NotFound) {
		return content.Blob{}, false, err
	}
	if from != "" {
		return q.mountNamed(ctx, d, from)
	}
	candidates, err := q.options.Content.RepositoriesWith(ctx, d, mountCandidates)
	if err != nil {
		return content.Blob{}, false, err
	}
	for _, id := range candidates {
		source, err := q.options.Registry.RepositoryByID(ctx, id)
		if problem.Is(err, problem.NotFound) {
			continue
		}
		if err != nil {
			return content.Blob{}, false, err
		}
		if blob, mounted, err := q.mountFrom(ctx, d, source); mounted || err != nil {
			return blob, mounted, err
		}
	}
	return content.Blob{}, false, nil
}

func (q *request) mountNamed(ctx context.Context, d digest.Digest, from string) (content.Blob, bool, error) {
	namespace, name, err := registry.ParseName(from, q.options.Names)
	if err != nil {
		return content.Blob{}, false, nil
	}
	source, err := q.options.Registry.Repository(ctx, namespace, name)
	if problem.Is(err, problem.NotFound) {
		return content.Blob{}, false, nil
	}
	if err != nil {
		return content.Blob{}, false, err
	}
	return q.mountFrom(ctx, d, source)
}

func (q *request) mountFrom(ctx context.Context, d digest.Digest, source registry.Repository) (content.Blob, bool, error) {
	for _, p := range []identity.Principal{q.principal, {}} {
		decision, err := q.options.Access.Check(ctx, p, access.Pull, source.Object())
		if err != nil {
			return content.Blob{}, false, err
		}
		if decision.Allowed {
			return q.options.Content.Mount(ctx, d, source.ID, q.place.repository.ID)
		}
	}
	return content.Blob{}, false, nil
}
