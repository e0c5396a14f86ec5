package registry

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// The stored values of repository.visibility and repository.kind.
const (
	visibilityPublic  = 1
	visibilityPrivate = 2
	kindApplication   = 2
)

const repositoryByName = selectRepository + ` AND n.name = $1 AND r.name = $2`

const selectRepository = `SELECT r.id, r.namespace_id, n.name, n.kind, n.enabled, r.name, r.visibility, r.kind, r.state,
	r.description, n.tag_window_s, r.created_ms, r.badge_token, r.trust_enabled, mi.robot_id
	FROM account n JOIN repository r ON r.namespace_id = n.id AND r.deleted_ms IS NULL AND r.state <> 3
	LEFT JOIN mirror mi ON mi.repo_id = r.id AND r.state = 2
	WHERE n.deleted_ms IS NULL AND n.kind <> 3`

// Repository finds a repository by name, as it is now. NotFound, NAME_UNKNOWN.
func (r *Registry) Repository(ctx context.Context, namespace, name string) (Repository, error) {
	if r.memory.exact {
		repo, _, err := r.Remembered(ctx, namespace, name)
		return repo, err
	}
	return r.memory.repositories.Fresh(ctx, repositoryName{namespace, name}, r.byName(namespace, name))
}

// Remembered is Repository for a pull of a manifest or blob. On PostgreSQL the answer may be 30 s old, which exact
// denies: who is refused by it, or does not find what is asked for, is to ask Repository before saying so.
func (r *Registry) Remembered(ctx context.Context, namespace, name string) (repo Repository, exact bool, err error) {
	repo, err = r.memory.repositories.Get(ctx, repositoryName{namespace, name}, r.byName(namespace, name))
	return repo, r.memory.exact || r.memory.repositories == nil, err
}

func (r *Registry) byName(namespace, name string) func(context.Context) (Repository, error) {
	return func(ctx context.Context) (Repository, error) {
		return scanRepository(r.db.QueryRow(ctx, repositoryByName, namespace, name))
	}
}

// RepositoryByID finds a repository by its identifier. NotFound, NAME_UNKNOWN.
func (r *Registry) RepositoryByID(ctx context.Context, id int64) (Repository, error) {
	return repositoryByID(ctx, r.db, id)
}

func repositoryByID(ctx context.Context, q interface {
	QueryRow(context.Context, string, ...any) db.Row
}, id int64) (Repository, error) {
	return scanRepository(q.QueryRow(ctx, selectRepository+` AND r.id = $1`, id))
}

func scanRepository(row db.Row) (Repository, error) {
	var repo Repository
	var visibility, kind int
	var window, created int64
	var robot *int64
	err := row.Scan(&repo.ID, &repo.NamespaceID, &repo.Namespace, &repo.NamespaceKind, &repo.NamespaceEnabled, &repo.Name,
		&visibility, &kind, &repo.State, &repo.Description, &window, &created, &repo.StatusToken, &repo.Trusted, &robot)
	if errors.Is(err, db.ErrNoRows) {
		return Repository{}, nameUnknown()
	}
	if err != nil {
		return Repository{}, err
	}
	repo.Public = visibility == visibilityPublic
	repo.Application = kind == kindApplication
	repo.TagWindow = time.Duration(window) * time.Second
	repo.CreatedAt = db.Time(created)
	if robot != nil {
		repo.MirrorRobotID = *robot
	}
	return repo, nil
}

// NewRepository is what CreateRepository makes.
type NewRepository struct {
	NamespaceID int64
	Name        string // everything after the namespace
	Public      bool
	Description string
	CreatorID   int64 // account that gets the creator's permission; 0 for none
}

// CreateRepository makes a repository with its creator's permission and the namespace's default ones. Conflict when
// there is one of that name, NAME_INVALID, NotFound when the namespace is gone. Of several concurrent calls for one
// name exactly one succeeds.
func (r *Registry) CreateRepository(ctx context.Context, n NewRepository) (Repository, error) {
	if !r.names.ValidName(n.Name) {
		return Repository{}, nameInvalid("Invalid repository name: %s", clip(n.Name))
	}
	var repo Repository
	err := r.db.Hard(ctx, "create repository", func(ctx context.Context, tx db.Tx) (err error) {
		repo, err = r.createTx(ctx, tx, n)
		return err
	})
	return repo, err
}

// createTx relies on the unique index alone: who comes second inserts no row. The shared lock orders it with the
// deletion of the namespace.
func (r *Registry) createTx(ctx context.Context, tx db.Tx, n NewRepository) (Repository, error) {
	if err := tx.Lock(ctx, db.LockNamespace, n.NamespaceID, db.Shared); err != nil {
		return Repository{}, err
	}
	var found int
	err := tx.QueryRow(ctx, `SELECT 1 FROM account WHERE id = $1 AND deleted_ms IS NULL AND kind <> 3`, n.NamespaceID).Scan(&found)
	if errors.Is(err, db.ErrNoRows) {
		return Repository{}, problem.New(problem.NotFound, "the namespace of repository %s does not exist any more", n.Name).WithCode("NAME_UNKNOWN")
	}
	if err != nil {
		return Repository{}, err
	}
	var id int64
	err = tx.QueryRow(ctx, `INSERT INTO repository (namespace_id, name, visibility, description, badge_token, created_ms)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (namespace_id, name) WHERE deleted_ms IS NULL DO NOTHING RETURNING id`,
		n.NamespaceID, n.Name, visibility(n.Public), n.Description, uuid.NewString(), r.now()).Scan(&id)
	if errors.Is(err, db.ErrNoRows) {
		return Repository{}, problem.New(problem.Conflict, "Repository already exists")
	}
	if err != nil {
		return Repository{}, err
	}
	if n.CreatorID != 0 {
		if err := access.GrantCreatorTx(ctx, tx, n.NamespaceID, id, n.CreatorID); err != nil {
			return Repository{}, err
		}
	}
	repo, err := repositoryByID(ctx, tx, id)
	if err != nil {
		return Repository{}, err
	}
	// Nobody may join a look-up that began before.
	tx.AfterCommit(func() { r.memory.repositories.Forget(repositoryName{repo.Namespace, repo.Name}) })
	return repo, r.logTx(ctx, tx, "create_repo", repo, nil)
}

func visibility(public bool) int {
	if public {
		return visibilityPublic
	}
	return visibilityPrivate
}

// DeleteRepository hides a repository at once and frees its name; what it holds is collected after the namespace's
// window. It waits for pushes that run. NAME_UNKNOWN.
func (r *Registry) DeleteRepository(ctx context.Context, id int64) error {
	return r.db.Hard(ctx, "delete repository", func(ctx context.Context, tx db.Tx) error {
		if err := tx.Lock(ctx, db.LockRepository, id, db.Exclusive); err != nil {
			return err
		}
		repo, err := repositoryByID(ctx, tx, id)
		if err != nil {
			return err
		}
		now := r.now()
		var window int64
		err = tx.QueryRow(ctx, `UPDATE repository SET deleted_ms = $2 WHERE id = $1 AND deleted_ms IS NULL
			RETURNING (SELECT n.tag_window_s FROM account n WHERE n.id = repository.namespace_id)`, id, now).Scan(&window)
		if errors.Is(err, db.ErrNoRows) {
			return nameUnknown()
		}
		if err != nil {
			return err
		}
		r.memory.forgetRepositories(tx)
		if err := reviewTx(ctx, tx, reviewRepository, id, 0, now+window*1000); err != nil {
			return err
		}
		return r.logTx(ctx, tx, "delete_repo", repo, nil)
	})
}

// SetVisibility makes a repository public or private. NAME_UNKNOWN.
func (r *Registry) SetVisibility(ctx context.Context, id int64, public bool) error {
	name := "private"
	if public {
		name = "public"
	}
	return r.change(ctx, `UPDATE repository SET visibility = $2 WHERE id = $1 AND deleted_ms IS NULL`, id, visibility(public),
		"change_repo_visibility", map[string]any{"visibility": name})
}

// SetDescription changes a repository's description. NAME_UNKNOWN.
func (r *Registry) SetDescription(ctx context.Context, id int64, description string) error {
	return r.change(ctx, `UPDATE repository SET description = $2 WHERE id = $1 AND deleted_ms IS NULL`, id, description,
		"set_repo_description", map[string]any{"description": description})
}

// SetState changes a repository's state after the pushes that run; those that come later see the new one. NAME_UNKNOWN.
func (r *Registry) SetState(ctx context.Context, id int64, state access.State) error {
	return r.db.Hard(ctx, "change repository state", func(ctx context.Context, tx db.Tx) error {
		if err := tx.Lock(ctx, db.LockRepository, id, db.Exclusive); err != nil {
			return err
		}
		return r.changeTx(ctx, tx, `UPDATE repository SET state = $2 WHERE id = $1 AND deleted_ms IS NULL`, id, int64(state),
			"change_repo_state", map[string]any{"state_changed": state.String()})
	})
}

// change updates one repository in a transaction of its own.
func (r *Registry) change(ctx context.Context, query string, id int64, value any, kind string, metadata map[string]any) error {
	return r.db.Hard(ctx, "change repository", func(ctx context.Context, tx db.Tx) error {
		return r.changeTx(ctx, tx, query, id, value, kind, metadata)
	})
}

// changeTx updates one repository and records it.
func (r *Registry) changeTx(ctx context.Context, tx db.Tx, query string, id int64, value any, kind string, metadata map[string]any) error {
	repo, err := repositoryByID(ctx, tx, id)
	if err != nil {
		return err
	}
	r.memory.forgetRepositories(tx)
	if err := changed(tx.Exec(ctx, query, id, value)); err != nil {
		return err
	}
	return r.logTx(ctx, tx, kind, repo, metadata)
}

func changed(n int64, err error) error {
	if err == nil && n == 0 {
		return nameUnknown()
	}
	return err
}
