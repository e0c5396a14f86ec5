//go:build e2e

package crash

import (
	"fmt"
	"slices"
	"sync"
)

// journal knows what every register may hold. A register is anything that one request sets and another reads: a blob or
// manifest in a repository (there or not), a tag (a digest or nothing), a robot's token.
type journal struct {
	mu        sync.Mutex
	time      int
	registers map[string][]*write
	touched   map[string]bool // since the last crash
	open      []*opened
	acked     int
}

// write is one attempt to set a register. Its effect came at some time between begun and ended.
type write struct {
	value        string
	begun, ended int // ended is 0 until an answer came
	acked        bool
}

// anything is the value of a write whose outcome the client cannot foresee.
const anything = "?"

func newJournal() *journal {
	return &journal{registers: map[string][]*write{}, touched: map[string]bool{}}
}

// begin notes that a request that sets a register is about to be sent.
func (j *journal) begin(key, value string) *write {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.time++
	w := &write{value: value, begun: j.time}
	j.registers[key] = append(j.registers[key], w)
	j.touched[key] = true
	return w
}

// end notes an answer: applied, or surely not. A request without an answer, or with a 5xx, has no end.
func (j *journal) end(key string, w *write, applied bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !applied {
		j.registers[key] = slices.DeleteFunc(j.registers[key], func(o *write) bool { return o == w })
		return
	}
	j.time++
	j.acked++
	w.ended, w.acked = j.time, true
}

// touch has a register checked after the next crash.
func (j *journal) touch(key string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.touched[key] = true
}

// learn sets the value of a write once its answer told it.
func (j *journal) learn(w *write, value string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	w.value = value
}

// allowed lists what a register may hold now that nothing is on the way: the values of all writes that no acknowledged
// one came surely after. A register that was never written surely holds nothing.
func (j *journal) allowed(key string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	values := []string{}
	latest := 0 // begin of the acknowledged write that began last
	for _, w := range j.registers[key] {
		if w.acked {
			latest = max(latest, w.begun)
		}
	}
	if latest == 0 {
		values = append(values, "")
	}
	for _, w := range j.registers[key] {
		if w.ended == 0 || w.ended >= latest {
			values = append(values, w.value)
		}
	}
	return values
}

// settle records what a register was found to hold after a crash: later ones start from there.
func (j *journal) settle(key, value string) error {
	allowed := j.allowed(key)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.time++
	j.registers[key] = []*write{{value: value, begun: j.time, ended: j.time, acked: true}}
	if !slices.Contains(allowed, value) && !(value != "" && slices.Contains(allowed, anything)) {
		return fmt.Errorf("%s holds %q, which no acknowledged and no unanswered request gave it: allowed is %q", key, value, allowed)
	}
	return nil
}

// opened is an upload that was left open.
type opened struct {
	repository, location string
	content              []byte
	answered             int  // bytes that an answer has acknowledged
	ending               bool // a request that ends it has been sent
}

func (j *journal) leave(o *opened) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.open = append(j.open, o)
}

// take gives the uploads left open and the registers touched since the last time, and some others.
func (j *journal) take(more int) (open []*opened, keys []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	open, j.open = j.open, nil
	for key := range j.touched {
		keys = append(keys, key)
	}
	for key := range j.registers { // in no order
		if !j.touched[key] && more > 0 {
			keys = append(keys, key)
			more--
		}
	}
	j.touched = map[string]bool{}
	return open, keys
}

// settleQuietly sets a register that the test itself has set, in a way that needs no journal.
func (j *journal) settleQuietly(key, value string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.time++
	j.registers[key] = []*write{{value: value, begun: j.time, ended: j.time, acked: true}}
}
