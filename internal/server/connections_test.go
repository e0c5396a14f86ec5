package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestConnectionsLeaveDescriptors(t *testing.T) {
	for files, want := range map[uint64]int{0: 64, 256: 64, 300: 64, 1024: 384, 20_000: 9872, 1 << 20: 16_384, 1<<64 - 1: 16_384} {
		if got := suggestedConnections(files); got != want {
			t.Errorf("%d files: %d connections, want %d", files, got, want)
		}
	}
	if files := openFiles(); files < 256 {
		t.Errorf("%d files may be open", files)
	}
}

// TestConnectionsBeyondTheLimitWait: they are served when others have gone, and a shutdown does not wait for them.
func TestConnectionsBeyondTheLimitWait(t *testing.T) {
	o := options(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, io.Discard)
	o.Connections = 3
	url, stop := start(t, o)
	ask := func() net.Conn {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = fmt.Fprintf(conn, "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
		return conn
	}
	answered := func(conn net.Conn, within time.Duration) bool {
		_ = conn.SetReadDeadline(time.Now().Add(within))
		_, err := http.ReadResponse(bufio.NewReader(conn), nil)
		return err == nil
	}
	var open []net.Conn
	for range 3 {
		conn := ask()
		if !answered(conn, 10*time.Second) {
			t.Fatal("a connection below the limit is not served")
		}
		open = append(open, conn)
	}
	waiting := []net.Conn{ask(), ask()}
	for _, conn := range waiting {
		if answered(conn, 100*time.Millisecond) {
			t.Error("a connection beyond the limit is served")
		}
	}
	for i, conn := range waiting {
		_ = open[i].Close()
		if !answered(conn, 10*time.Second) {
			t.Error("nobody takes the place of a connection that has gone")
		}
	}
	ask()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// watchedConn notes the write deadlines of a connection.
type watchedConn struct {
	net.Conn
	mu        sync.Mutex
	deadlines int
	fails     bool // a write without a deadline
	standing  time.Time
}

func (c *watchedConn) SetWriteDeadline(at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !at.IsZero() { // net/http takes it away after the answer
		c.deadlines++
	}
	c.standing = at
	return c.Conn.SetWriteDeadline(at)
}

func (c *watchedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if left := time.Until(c.standing); left < stallLimit-2*time.Second || left > stallLimit {
		c.fails = true
	}
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// watching is a listener of watched connections.
type watching struct {
	net.Listener
	conns chan *watchedConn
}

func (w watching) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &watchedConn{Conn: conn}
	w.conns <- c
	return c, nil
}

// TestEveryAnswerHasADeadline: also one without a body, one that no handler wrote and "100 Continue", and no answer sets
// more than one.
func TestEveryAnswerHasADeadline(t *testing.T) {
	s, err := New(options(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/v2/nothing":
		case "/v2/empty":
			w.WriteHeader(http.StatusNoContent)
		case "/v2/body":
			w.Header().Set("Content-Length", "4")
			w.WriteHeader(http.StatusOK)
			_, _ = io.WriteString(w, "body")
		}
	}, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	for name, request := range map[string]string{
		"an answer without a body": "GET /v2/empty HTTP/1.1\r\n", "one that nobody wrote": "GET /v2/nothing HTTP/1.1\r\n", "a HEAD": "HEAD /v2/body HTTP/1.1\r\n",
		"one with a body": "GET /v2/body HTTP/1.1\r\n", "a body that is waited for": "PUT /v2/empty HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			conns := make(chan *watchedConn, 1)
			server := s.httpServer(s.Handler())
			go func() { _ = server.Serve(watching{listener, conns}) }()
			t.Cleanup(func() { _ = server.Close() })
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
			_, _ = io.WriteString(conn, request+"Host: x\r\nConnection: close\r\n\r\nx")
			if _, err := io.ReadAll(conn); err != nil {
				t.Fatal(err)
			}
			c := <-conns
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.fails || c.deadlines != 1 {
				t.Errorf("%d deadlines were set; written without one: %v", c.deadlines, c.fails)
			}
		})
	}
}
