package app

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

// newLogger writes lines of text to a terminal and JSON elsewhere. When w is a lineBuffer, warnings and errors do not
// wait in it.
func newLogger(w io.Writer, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	handler := slog.Handler(slog.NewJSONHandler(w, options))
	if lines, ok := w.(*lineBuffer); ok {
		handler = urgentHandler{handler, lines}
	}
	return slog.New(handler)
}

func isTerminal(w any) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

const (
	// linesDelay is how long a line may wait for company: what kill -9 can take from the log.
	linesDelay = 100 * time.Millisecond
	linesSize  = 32 << 10
)

// lineBuffer gathers log lines, so that a busy server does not make a system call for each request.
type lineBuffer struct {
	to io.Writer

	mu    sync.Mutex
	lines []byte
	armed bool // a timer will flush
}

// bufferLines gives a terminal its lines at once and buffers everywhere else.
func bufferLines(w io.Writer) (buffered io.Writer, flush func()) {
	if isTerminal(w) {
		return w, func() {}
	}
	b := &lineBuffer{to: w, lines: make([]byte, 0, linesSize)}
	return b, b.flush
}

// Write keeps the line for at most linesDelay.
func (b *lineBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lines)+len(line) > linesSize {
		b.send()
	}
	if len(line) > linesSize {
		return b.to.Write(line)
	}
	b.lines = append(b.lines, line...)
	if !b.armed {
		b.armed = true
		time.AfterFunc(linesDelay, b.flush)
	}
	return len(line), nil
}

func (b *lineBuffer) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.armed = false
	b.send()
}

// send has nobody to tell when the log cannot be written; the lines are lost, as without a buffer.
func (b *lineBuffer) send() {
	if len(b.lines) > 0 {
		_, _ = b.to.Write(b.lines)
		b.lines = b.lines[:0]
	}
}

// urgentHandler sends what somebody may be waiting for at once, with all that came before it.
type urgentHandler struct {
	slog.Handler
	lines *lineBuffer
}

// Handle is slog.Handler's.
func (h urgentHandler) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		h.lines.flush()
	}
	return err
}

// WithAttrs is slog.Handler's.
func (h urgentHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return urgentHandler{h.Handler.WithAttrs(attrs), h.lines}
}

// WithGroup is slog.Handler's.
func (h urgentHandler) WithGroup(name string) slog.Handler {
	return urgentHandler{h.Handler.WithGroup(name), h.lines}
}
