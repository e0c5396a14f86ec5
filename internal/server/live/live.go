// Package live hands what somebody's tools do to the pages that the same person has open.
//
// An event reaches those who listen in this process at that moment, and nobody else: it is a hint for a page that shows
// what docker does right now, not a record. What a listener cannot take in time is left out. Nothing here blocks, and an
// event that nobody waits for costs one look at a counter.
package live

import (
	"sync"
	"sync/atomic"

	"github.com/longshore-registry/longshore/internal/problem"
)

// Bounds.
const (
	mostOfAll  = 1000 // listeners of a process
	mostOfOne  = 10   // listeners of one account
	mostQueued = 16   // events that a listener may be behind
)

// DockerCLI is the event of Quay's stream that says what a container tool does.
const DockerCLI = "docker-cli"

// Event is one thing that happened.
type Event struct {
	Event string `json:"event"`
	Data  Data   `json:"data"`
}

// Data is what an event of DockerCLI says. Repository is its name without the namespace.
type Data struct {
	Action     string `json:"action"` // login, loginfailure, push_start, pull_start, push_repo or pull_repo
	Namespace  string `json:"namespace,omitempty"`
	Repository string `json:"repository,omitempty"`
}

// Hub joins those who tell and those who listen. Its methods may be called concurrently.
type Hub struct {
	count atomic.Int64 // of listeners

	mu     sync.Mutex
	closed bool
	byName map[string]map[*Listener]struct{}
}

// NewHub makes a hub without listeners.
func NewHub() *Hub { return &Hub{byName: map[string]map[*Listener]struct{}{}} }

// Listener takes the events of one account.
type Listener struct {
	hub    *Hub
	name   string
	events chan Event
}

// Events gives the events; it is closed when the program stops.
func (l *Listener) Events() <-chan Event { return l.events }

// Listen begins to take the events of an account. It is TooMany when there are as many listeners as may be, and
// Unavailable when the program is being stopped. The caller closes the listener.
func (h *Hub) Listen(account string) (*Listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, problem.New(problem.Unavailable, "the registry is being stopped")
	case h.count.Load() >= mostOfAll:
		return nil, problem.New(problem.TooMany, "%d pages listen for events, which is as many as may", mostOfAll)
	case len(h.byName[account]) >= mostOfOne:
		return nil, problem.New(problem.TooMany, "%d pages of this account listen for events, which is as many as may", mostOfOne)
	}
	l := &Listener{hub: h, name: account, events: make(chan Event, mostQueued)}
	if h.byName[account] == nil {
		h.byName[account] = map[*Listener]struct{}{}
	}
	h.byName[account][l] = struct{}{}
	h.count.Add(1)
	return l, nil
}

// Close ends a listener. It may be called more than once.
func (l *Listener) Close() {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	l.hub.remove(l)
}

func (h *Hub) remove(l *Listener) {
	if _, ok := h.byName[l.name][l]; !ok {
		return
	}
	delete(h.byName[l.name], l)
	if len(h.byName[l.name]) == 0 {
		delete(h.byName, l.name)
	}
	h.count.Add(-1)
	close(l.events)
}

// Tell hands an event to those who listen to an account. A nil Hub tells nobody.
func (h *Hub) Tell(account, action, namespace, repository string) {
	if h == nil || h.count.Load() == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := range h.byName[account] {
		select {
		case l.events <- Event{DockerCLI, Data{action, namespace, repository}}:
		default: // it is behind; a hint that comes late is none
		}
	}
}

// Stop ends all listeners, so that their requests do not hold up the end of the program.
func (h *Hub) Stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, listeners := range h.byName {
		for l := range listeners {
			h.remove(l)
		}
	}
}
