package db_test

import (
	"bytes"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// cut is a proxy that breaks connections when a COMMIT passes while it is armed.
type cut struct {
	address string
	armed   atomic.Bool
}

// cutAtCommit starts a proxy to target. arrives says whether the COMMIT still reaches the server; its answer never
// reaches the client.
func cutAtCommit(t *testing.T, target string, arrives bool) *cut {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c := &cut{address: l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				_ = client.Close()
				continue
			}
			go func() { _, _ = io.Copy(client, server); _ = client.Close() }()
			go c.forward(client, server, arrives)
		}
	}()
	return c
}

func (c *cut) forward(client, server net.Conn, arrives bool) {
	defer server.Close()
	defer client.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		commit := c.armed.Load() && bytes.Contains(buf[:n], []byte("commit\x00"))
		if commit {
			_ = client.Close()
		}
		if !commit || arrives {
			_, _ = server.Write(buf[:n])
		}
		if commit {
			time.Sleep(100 * time.Millisecond) // the server carries it out
			return
		}
	}
}
