package live

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/problem"
)

func listen(t *testing.T, h *Hub, account string) *Listener {
	t.Helper()
	l, err := h.Listen(account)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAnEventReachesItsAccountAlone(t *testing.T) {
	h := NewHub()
	alice, also, bob := listen(t, h, "alice"), listen(t, h, "alice"), listen(t, h, "bob")
	h.Tell("alice", "push_start", "acme", "app")
	want := Event{"docker-cli", Data{"push_start", "acme", "app"}}
	for _, l := range []*Listener{alice, also} {
		if diff := cmp.Diff(want, <-l.Events()); diff != "" {
			t.Error(diff)
		}
	}
	if len(bob.Events()) != 0 {
		t.Error("bob was told")
	}
}

func TestASlowListenerHoldsNobodyUp(t *testing.T) {
	h := NewHub()
	l := listen(t, h, "alice")
	for range 10 * mostQueued {
		h.Tell("alice", "login", "", "")
	}
	if n := len(l.Events()); n != mostQueued {
		t.Errorf("%d events wait", n)
	}
}

func TestListenersAreBounded(t *testing.T) {
	h := NewHub()
	var last *Listener
	for range mostOfOne {
		last = listen(t, h, "alice")
	}
	if _, err := h.Listen("alice"); !problem.Is(err, problem.TooMany) {
		t.Errorf("one account too often: %v", err)
	}
	last.Close()
	last.Close()
	listen(t, h, "alice")
	for i := range mostOfAll - mostOfOne {
		listen(t, h, strconv.Itoa(i))
	}
	if _, err := h.Listen("bob"); !problem.Is(err, problem.TooMany) {
		t.Errorf("too many in all: %v", err)
	}
}

func TestStoppingEndsEveryListener(t *testing.T) {
	h := NewHub()
	l := listen(t, h, "alice")
	h.Stop()
	if _, open := <-l.Events(); open {
		t.Error("it listens on")
	}
	l.Close()
	if _, err := h.Listen("alice"); !problem.Is(err, problem.Unavailable) {
		t.Errorf("a new one: %v", err)
	}
	h.Tell("alice", "login", "", "")
	(*Hub)(nil).Tell("alice", "login", "", "")
}
