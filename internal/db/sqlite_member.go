package db

import (
	"context"
	"errors"
	"sync/atomic"
)

// errLeft stands for a function that did not return: a panic or the end of its goroutine.
var errLeft = errors.New("the transaction's function did not return")

// member is one transaction of a batch. Its function runs on its caller's goroutine, which holds the writing
// connection from the grant until it reports: a panic unwinds the caller, not the writer.
type member struct {
	ctx     context.Context
	request request
	state   atomic.Int32
	grant   chan grant // the turn has come, or never will
	report  chan error // what the function returned
	answer  chan error // what became of the batch
	failed  bool       // what the writer was told; the writer's own
	after   []func()   // what must happen after the commit; the writer's own
}

// grant is a member's turn, or the reason why it gets none.
type grant struct {
	tx  *sqliteTx
	err error
}

// The states of a member.
const (
	memberWaiting int32 = iota
	memberGranted
	memberGone
)

func newMember(ctx context.Context, r request) *member {
	return &member{ctx: ctx, request: r, grant: make(chan grant, 1), report: make(chan error, 1), answer: make(chan error, 1)}
}

// claim is the writer's: it reports whether somebody still waits for the turn.
func (m *member) claim() bool { return m.state.CompareAndSwap(memberWaiting, memberGranted) }

// leave is the caller's: it reports whether the turn will not come any more.
func (m *member) leave() bool { return m.state.CompareAndSwap(memberWaiting, memberGone) }

// refuse tells a waiting member that it gets no turn.
func (m *member) refuse(err error) {
	if m.claim() {
		m.grant <- grant{err: err}
	}
}

// wait returns the turn, or why there is none.
func (m *member) wait(stopped <-chan struct{}) (*sqliteTx, error) {
	select {
	case g := <-m.grant:
		return g.tx, g.err
	case <-m.ctx.Done():
		if m.leave() {
			return nil, m.ctx.Err()
		}
	case <-stopped:
		if m.leave() {
			return nil, errClosed()
		}
	}
	g := <-m.grant
	return g.tx, g.err
}

// call runs the function and reports. The report is sent even if the function panics or ends its goroutine.
func (m *member) call(tx *sqliteTx) (err error) {
	err = errLeft
	defer func() {
		err = tx.finish(err)
		m.report <- err
	}()
	return m.request.fn(m.ctx, tx)
}
