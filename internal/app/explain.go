package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

type explainCommand struct {
	place
	User   string `help:"User or robot; empty for nobody." placeholder:"NAME"`
	Action string `help:"pull, push, settings, admin, inspect; on a namespace create, view-namespace, admin-namespace, inspect-namespace." required:""`
	Scope  string `help:"OAuth scopes, for what a token of the account may do." placeholder:"SCOPES"`
	Object string `arg:"" help:"NAMESPACE/REPOSITORY, or a namespace."`
}

// Run prints the decision and its reasons.
func (c explainCommand) Run(ctx context.Context, p Program) error {
	action, err := access.ParseAction(c.Action)
	if err != nil {
		return codedError{code: exitUsage, cause: err}
	}
	return c.withInstallation(ctx, p, func(i *installation, s *parts) error {
		s.access = access.NewAuthority(i.accessOptions(s))
		who, err := c.principal(ctx, s.identity)
		if err != nil {
			return err
		}
		object, err := c.object(ctx, i, s)
		if err != nil {
			return err
		}
		decision, err := s.access.Explain(ctx, who, action, object)
		if err != nil {
			return err
		}
		word := "denied"
		if decision.Allowed {
			word = "allowed"
		}
		_, err = fmt.Fprintf(p.Stdout, "%s\n  %s\n", word, strings.Join(decision.Reasons, "\n  "))
		return err
	})
}

func (c explainCommand) principal(ctx context.Context, people *identity.Service) (identity.Principal, error) {
	if c.User == "" {
		return identity.Principal{}, nil
	}
	who, err := people.Account(ctx, c.User)
	if err != nil {
		return identity.Principal{}, err
	}
	return access.Suppose(who, c.Scope)
}

func (c explainCommand) object(ctx context.Context, i *installation, s *parts) (access.Object, error) {
	namespace, name, _ := strings.Cut(c.Object, "/")
	if name != "" {
		repositories, err := registry.New(registry.Options{DB: s.db, Content: noContent{}, Names: i.names()})
		if err != nil {
			return access.Object{}, err
		}
		repo, err := repositories.Repository(ctx, namespace, name)
		if err == nil || !problem.Is(err, problem.NotFound) {
			return repo.Object(), err
		}
	}
	owner, err := s.identity.Account(ctx, namespace)
	if problem.Is(err, problem.NotFound) {
		err = nil
	}
	return access.Object{
		NamespaceID: owner.ID, Namespace: namespace, NamespaceKind: owner.Kind, NamespaceEnabled: owner.Enabled, Name: name,
	}, err
}

// noContent stands in for the blob store, which nobody asks when a repository is looked up.
type noContent struct{}

// Bytes refuses.
func (noContent) Bytes(context.Context, int64, digest.Digest, int64) ([]byte, error) {
	return nil, problem.New(problem.Unsupported, "this command reads no blobs")
}
