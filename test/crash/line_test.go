//go:build e2e

package crash

import (
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// line is a connection to a database server on which every answer comes late.
type line struct {
	uri   string
	delay atomic.Int64 // of what the server sends, in nanoseconds

	mu    sync.Mutex
	conns []net.Conn
}

// slowLine gives an address that leads to a database's.
func slowLine(t *testing.T, uri string) *line {
	t.Helper()
	address, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	server := address.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address.Host = listener.Addr().String()
	l := &line{uri: address.String()}
	t.Cleanup(func() {
		_ = listener.Close()
		l.cut()
	})
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", server)
			if err != nil {
				_ = near.Close()
				continue
			}
			l.mu.Lock()
			l.conns = append(l.conns, near, far)
			l.mu.Unlock()
			go l.carry(far, near, func() time.Duration { return 0 })
			go l.carry(near, far, func() time.Duration { return time.Duration(l.delay.Load()) })
		}
	}()
	return l
}

func (l *line) carry(to, from net.Conn, delay func() time.Duration) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		time.Sleep(delay())
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// cut ends all connections there are.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.conns = nil
}
