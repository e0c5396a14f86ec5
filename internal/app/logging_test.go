package app

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sink is what reached the other side of the buffer.
type sink struct {
	mu     sync.Mutex
	text   bytes.Buffer
	writes int
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	return s.text.Write(p)
}

func (s *sink) seen() (text string, writes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String(), s.writes
}

func TestALogLineLeavesWithinATenthOfASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &sink{}
		to, _ := bufferLines(out)
		log := newLogger(to, slog.LevelInfo)
		for range 5 {
			log.Info("request")
		}
		time.Sleep(linesDelay - time.Millisecond)
		if text, _ := out.seen(); text != "" {
			t.Errorf("before the delay is over: %q", text)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if text, writes := out.seen(); strings.Count(text, "\n") != 5 || writes != 1 {
			t.Errorf("five lines in %d writes, want one: %q", writes, text)
		}
		log.Info("later")
		time.Sleep(linesDelay)
		synctest.Wait()
		if text, _ := out.seen(); !strings.Contains(text, "later") {
			t.Errorf("a line after the first flush: %q", text)
		}
	})
}

func TestAWarningLeavesAtOnceAndInOrder(t *testing.T) {
	out := &sink{}
	to, flush := bufferLines(out)
	defer flush()
	log := newLogger(to, slog.LevelInfo).With("a", 1).WithGroup("g")
	log.Info("first")
	log.Warn("second")
	text, _ := out.seen()
	first, second := strings.Index(text, "first"), strings.Index(text, "second")
	if first < 0 || second < first {
		t.Errorf("log: %q", text)
	}
}

func TestManyLinesKeepTheirOrderAndNoneIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // no time goes by, so that only a full buffer is sent
		out := &sink{}
		to, flush := bufferLines(out)
		long := strings.Repeat("x", linesSize+1) + "\n"
		want := ""
		for i := range 3000 {
			line := strings.Repeat("y", i%97) + "\n"
			if i == 1500 {
				line = long
			}
			want += line
			if n, err := to.Write([]byte(line)); n != len(line) || err != nil {
				t.Fatal(n, err)
			}
		}
		flush()
		if text, writes := out.seen(); text != want || writes > 10 {
			t.Errorf("%d bytes in %d writes, want %d bytes", len(text), writes, len(want))
		}
	})
}
