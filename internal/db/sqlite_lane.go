package db

import (
	"strconv"
	"time"
)

// lane is a queue of members. Only the writer takes from it; queue is where callers put in.
type lane struct {
	queue chan *member
	first []*member // taken before, but not run; they come first
}

// laneLength bounds the callers that wait inside a lane; further ones wait in front of it, until their context ends.
const laneLength = 1024

func newLane() *lane { return &lane{queue: make(chan *member, laneLength)} }

// poll takes a member if one is there.
func (l *lane) poll() *member {
	if len(l.first) > 0 {
		m := l.first[0]
		l.first = l.first[1:]
		return m
	}
	select {
	case m := <-l.queue:
		return m
	default:
		return nil
	}
}

// take gives m and what else is there, at most n in all.
func (l *lane) take(m *member, n int) []*member {
	members := []*member{m}
	for len(members) < n {
		next := l.poll()
		if next == nil {
			break
		}
		members = append(members, next)
	}
	return members
}

// join gives one more member for a batch that is running. A hard one cannot join a soft batch: how a transaction is
// synced is settled at its start.
func (l *lane) join(hard bool) []*member {
	m := l.poll()
	switch {
	case m == nil:
		return nil
	case m.request.hard && !hard:
		l.back([]*member{m})
		return nil
	}
	return []*member{m}
}

// back returns members that were taken and not run to the head of the lane.
func (l *lane) back(members []*member) {
	if len(members) > 0 {
		l.first = append(append([]*member(nil), members...), l.first...)
	}
}

// refuseAll empties the lane.
func (l *lane) refuseAll(err error) {
	for m := l.poll(); m != nil; m = l.poll() {
		m.refuse(err)
	}
}

const (
	backgroundShare = 5                     // background work gets one part in so many of a busy writer's time
	quietAfter      = 50 * time.Millisecond // without requests for so long, the writer is not busy
)

// pace decides when background work may have the writer.
type pace struct {
	lastRequest time.Time // the end of the last batch of requests
	resume      time.Time // when background work has had no more than its share
}

// wait is how long background work must still wait; 0 or less for not at all.
func (p *pace) wait(now time.Time) time.Duration {
	return min(p.resume.Sub(now), p.lastRequest.Add(quietAfter).Sub(now))
}

// worked takes the time of a batch into account.
func (p *pace) worked(background bool, start, end time.Time) {
	if !background {
		p.lastRequest = end
		return
	}
	p.resume = end.Add((backgroundShare - 1) * end.Sub(start))
}

func userVersion(n int64) string {
	return "PRAGMA user_version = " + strconv.FormatInt(n&0x7fffffff, 10)
}
