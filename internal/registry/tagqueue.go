package registry

import (
	"context"
	"sync"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
)

const (
	tagLanes   = 2                // queries that run at a time, so that one which hangs does not stop all
	tagTimeout = 10 * time.Second // of one query
)

// tagQueue asks the database for tags, those that are asked for at the same time in one query.
//
// Every answer is as of a moment after its question was put: a question that finds all lanes taken waits for one and
// leaves with the others that waited, and never joins a query that has begun. So whoever was told that a tag was pushed,
// at whatever replica, finds it.
type tagQueue struct {
	read func(context.Context, []*tagQuestion) (map[tagName]tagged, error)

	mu      sync.Mutex
	waiting []*tagQuestion
	running int
}

type tagQuestion struct {
	tag   tagName
	done  chan struct{}
	found bool
	to    tagged
	err   error
}

func newTagQueue(d *db.DB) *tagQueue {
	return &tagQueue{read: func(ctx context.Context, questions []*tagQuestion) (map[tagName]tagged, error) {
		return readTags(ctx, d, questions)
	}}
}

// ask finds the target of a tag in a repository that exists. db.ErrNoRows.
func (q *tagQueue) ask(ctx context.Context, tag tagName) (tagged, error) {
	question := &tagQuestion{tag: tag, done: make(chan struct{})}
	q.mu.Lock()
	q.waiting = append(q.waiting, question)
	if q.running < tagLanes {
		q.running++
		go q.run(context.WithoutCancel(ctx)) // the others do not depend on this caller
	}
	q.mu.Unlock()
	select {
	case <-ctx.Done():
		return tagged{}, ctx.Err()
	case <-question.done:
	}
	if question.err == nil && !question.found {
		return tagged{}, db.ErrNoRows
	}
	return question.to, question.err
}

// run is a lane: it asks until nobody waits.
func (q *tagQueue) run(ctx context.Context) {
	for {
		batch := q.take()
		if batch == nil {
			return
		}
		q.answer(ctx, batch)
	}
}

// take gives the questions that wait, at most a list of them. With none the lane ends.
func (q *tagQueue) take() []*tagQuestion {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), maxList)
	if n == 0 {
		q.running--
		return nil
	}
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return batch
}

func (q *tagQueue) answer(ctx context.Context, batch []*tagQuestion) {
	ctx, cancel := context.WithTimeout(ctx, tagTimeout)
	defer cancel()
	targets, err := q.read(ctx, batch)
	for _, question := range batch {
		question.to, question.found = targets[question.tag]
		question.err = err
		close(question.done)
	}
}

// readTags reads the targets of tags in one query. A repository that was deleted has none, so that a process which still
// remembers it does not serve its tags in place of those of a new one of the same name.
func readTags(ctx context.Context, d *db.DB, questions []*tagQuestion) (map[tagName]tagged, error) {
	targets := make(map[tagName]tagged, len(questions))
	for some := range batches(questions) {
		args := make([]any, 0, 2*len(some))
		for _, question := range some {
			args = append(args, question.tag.repositoryID, question.tag.name)
		}
		found, err := d.Query(ctx, `SELECT t.repo_id, t.name, t.manifest_id, t.digest, t.expires_ms FROM tag t
			JOIN repository r ON r.id = t.repo_id AND r.deleted_ms IS NULL
			WHERE (t.repo_id, t.name) IN (`+rows(len(some), 2)+`)`, args...)
		if err != nil {
			return nil, err
		}
		var tag tagName
		var to tagged
		err = each(found, func() {
			targets[tag] = to
			to = tagged{}
		}, &tag.repositoryID, &tag.name, &to.manifestID, &to.digest, &to.expires)
		if err != nil {
			return nil, err
		}
	}
	return targets, nil
}
