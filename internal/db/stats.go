package db

import "github.com/jackc/pgx/v5/pgxpool"

// Stats are counters and gauges for the metrics page.
type Stats struct {
	// Queries are those outside transactions since the start.
	Queries uint64
	// Transactions and Commits are those of the SQLite writer since the start: how many share a commit is their ratio.
	Transactions, Commits uint64
	// Waiting is the number of transactions that wait for the SQLite writer.
	Waiting int
	// Hard and Soft are the PostgreSQL pools.
	Hard, Soft PoolStats
}

// PoolStats describes a pool of connections.
type PoolStats struct {
	Used, Idle, Limit int
	// Waits counts acquisitions that found no free connection.
	Waits uint64
}

// Stats gives the present numbers.
func (d *DB) Stats() Stats {
	queries := d.queries.Load()
	switch e := d.engine.(type) {
	case *sqliteEngine:
		w := e.writer
		return Stats{
			Queries: queries, Transactions: w.members.Load(), Commits: w.commits.Load(),
			Waiting: len(w.requests.queue) + len(w.background.queue),
		}
	case *postgresEngine:
		return Stats{Queries: queries, Hard: poolStats(e.hard.Stat()), Soft: poolStats(e.soft.Stat())}
	}
	return Stats{}
}

func poolStats(s *pgxpool.Stat) PoolStats {
	return PoolStats{
		Used: int(s.AcquiredConns()), Idle: int(s.IdleConns()), Limit: int(s.MaxConns()), Waits: uint64(s.EmptyAcquireCount()),
	}
}
