package db

import (
	"context"

	"github.com/longshore-registry/longshore/internal/problem"
)

type (
	insideKey     struct{}
	backgroundKey struct{}
)

// Background marks ctx as belonging to collection, jobs and other work that nobody waits for. On SQLite such
// transactions get at most a fifth of the writer's time while requests come in; PostgreSQL needs no such order.
func Background(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, true)
}

func isBackground(ctx context.Context) bool {
	return ctx.Value(backgroundKey{}) != nil
}

// refuseNested turns what would be a deadlock on SQLite into an error on both databases.
func refuseNested(ctx context.Context, name string) error {
	if ctx.Value(insideKey{}) != nil {
		return problem.New(problem.Internal, "the transaction %q was started inside another one", name)
	}
	return nil
}
