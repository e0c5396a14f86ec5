package db

import (
	"context"

	"github.com/longshore-registry/longshore/internal/problem"
)

type (
	insideKey     struct{}
	backgroundKey struct{}
	heavyKey      struct{}
)

// Heavy marks ctx as belonging to lists that read much, such as sums over the action log. On SQLite such queries outside
// transactions take at most half of the connections that read, so that others always find one. PostgreSQL has its
// own order.
func Heavy(ctx context.Context) context.Context { return context.WithValue(ctx, heavyKey{}, true) }

func isHeavy(ctx context.Context) bool { return ctx.Value(heavyKey{}) != nil }

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
