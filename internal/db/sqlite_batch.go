package db

import (
	"slices"
	"time"
)

// batch runs first and what else is queued, and commits once.
func (w *writer) batch(q *lane, first *member) {
	if w.broken != nil && !w.probe() {
		first.refuse(unavailable(w.broken, "the database file could not be written"))
		return
	}
	queued := q.take(first, batchMembers)
	hard := anyHard(queued)
	if err := w.begin(hard); err != nil {
		err = sqliteError(w.ctx, err)
		for _, m := range queued {
			m.refuse(err)
		}
		return
	}
	ran, lost := w.turns(q, queued, hard)
	commit := slices.ContainsFunc(ran, func(m *member) bool { return !m.failed })
	err := w.end(commit, lost)
	if lost == nil {
		afterCommit(ran)
	}
	w.answer(ran, err)
}

// afterCommit runs what the members of a batch want done after its commit, also after one that failed, which may have
// happened. It is done before any member is answered, in this batch or a later one: what a member says may rest on
// another's change, such as that what it was to remove is gone, and whoever hears it must find the caches agree.
func afterCommit(members []*member) {
	for _, m := range members {
		if m.failed {
			continue
		}
		for _, fn := range m.after {
			fn()
		}
	}
}

// turns lends the connection to one member after the other until the queue is empty or the batch long enough. It
// returns those that had a turn, and the error after which the batch cannot be committed. One that failed is answered
// with the others: what it saw of them must be true by the time it says so.
func (w *writer) turns(q *lane, queued []*member, hard bool) (ran []*member, lost error) {
	start := time.Now()
	for taken := 0; len(queued) > 0 && lost == nil; {
		m := queued[0]
		queued = queued[1:]
		if m.claim() {
			taken++
			var lent bool
			if lent, lost = w.turn(m); lent {
				ran = append(ran, m)
			}
		}
		if taken >= batchMembers || time.Since(start) > batchTime {
			break
		}
		if len(queued) == 0 {
			queued = q.join(hard)
		}
	}
	q.back(queued)
	return ran, lost
}

func anyHard(members []*member) bool {
	for _, m := range members {
		if m.request.hard {
			return true
		}
	}
	return false
}

// begin sets how the batch will be synced, which is not possible inside a transaction, and starts it. The version of
// the file is read inside, so that nobody can commit between the look and the batch.
func (w *writer) begin(hard bool) error {
	if hard != w.full {
		pragma := "PRAGMA synchronous = NORMAL"
		if hard {
			pragma = "PRAGMA synchronous = FULL"
		}
		if err := w.exec(pragma); err != nil {
			return err
		}
		w.full = hard
	}
	if err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	w.noticeForeign()
	return nil
}

// turn lends the connection to a member and notes whether it failed. lent: it had its turn and waits for an answer.
// lost: the batch is gone.
func (w *writer) turn(m *member) (lent bool, lost error) {
	if err := w.exec("SAVEPOINT member"); err != nil {
		m.grant <- grant{err: sqliteError(w.ctx, err)}
		return false, err
	}
	tx := &sqliteTx{stmts: &w.stmts}
	start := time.Now()
	m.grant <- grant{tx: tx}
	m.failed = <-m.report != nil
	m.after = tx.after
	if took := time.Since(start); took > slowTurn {
		w.log.Warn("a transaction held the database's writer", "transaction", m.request.name, "ms", took.Milliseconds())
	}
	w.members.Add(1)
	if tx.lost != nil {
		return true, tx.lost
	}
	if m.failed {
		if err := w.exec("ROLLBACK TO member"); err != nil {
			return true, err
		}
	}
	return true, w.exec("RELEASE member")
}

// end commits the batch, or rolls it back when nothing is in it or it is lost. A commit that failed leaves the state
// of the disk unknown, so no write is accepted until a probe has rewritten that part of the log.
func (w *writer) end(commit bool, lost error) error {
	if lost != nil || !commit {
		w.rollback()
		if lost != nil {
			return unavailable(lost, "the database file could not be written; nothing was changed")
		}
		return nil
	}
	if err := w.commit(); err != nil {
		w.log.Error("a commit failed; writes are refused until the database file can be written again", "error", err)
		w.broken = err
		w.rollback()
		return unavailable(err, "the database file could not be written")
	}
	w.commits.Add(1)
	w.checker.nudge()
	return nil
}

func (w *writer) commit() error {
	if w.watch == nil {
		return w.exec("COMMIT")
	}
	err := w.watch(Batch, Ready)
	if err == nil {
		err = w.exec("COMMIT")
	}
	if err == nil {
		err = w.watch(Batch, Committed)
	}
	return err
}

// rollback ends the transaction if there still is one.
func (w *writer) rollback() {
	if err := w.exec("ROLLBACK"); err != nil {
		w.log.Debug("no transaction to roll back", "error", err)
	}
}

func (w *writer) answer(members []*member, err error) {
	for _, m := range members {
		m.answer <- err
	}
}

// probe tries to write after a failed commit, a few times a second at most, and reports whether all is well again.
func (w *writer) probe() bool {
	if time.Since(w.probed) < watchEvery {
		return false
	}
	w.probed = time.Now()
	if err := w.tryWrite(); err != nil {
		w.broken = err
		return false
	}
	w.log.Info("the database file can be written again")
	w.broken = nil
	return true
}

// tryWrite changes a number in the file's header that means nothing, and syncs.
func (w *writer) tryWrite() error {
	if err := w.begin(true); err != nil {
		return err
	}
	n, err := w.stmts.number(w.ctx, "PRAGMA user_version")
	if err == nil {
		err = w.exec(userVersion(n + 1))
	}
	if err == nil {
		err = w.exec("COMMIT")
	}
	if err != nil {
		w.rollback()
	}
	return err
}
