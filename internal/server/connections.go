package server

import (
	"net"
	"net/http"
	"sync"
	"syscall"
)

const (
	// reservedFiles is how many descriptors connections leave for the database, listeners, logs and calls outwards.
	reservedFiles = 256
	// mostConnections is the limit where descriptors are plenty: each connection has buffers and a goroutine, some 30 KiB.
	mostConnections = 16_384
	// fewestConnections is the limit where descriptors are scarce.
	fewestConnections = 64
)

// suggestedConnections is how many connections are open at a time in a process that may have so many files: each may
// read or write one of its own.
func suggestedConnections(files uint64) int {
	if files <= reservedFiles {
		return fewestConnections
	}
	return int(max(fewestConnections, min((files-reservedFiles)/2, mostConnections)))
}

// openFiles is how many files the process may have open. Go raises the limit to the highest it can have at the start.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // what systems usually allow
	}
	return limit.Cur
}

// gate is a listener under which a bounded number of connections is open. Further ones wait in the kernel's queue: it
// is bounded too, costs no memory here, and a client in it goes on as soon as another has gone. Closing them at once
// would have every client of a burst fail, or try again at once. A connection that does nothing gives its place back
// after headerTimeout, an idle one after idleTimeout, a stalled one after stallLimit.
type gate struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newGate(l net.Listener, connections int) *gate {
	return &gate{Listener: l, places: make(chan struct{}, connections), closed: make(chan struct{})}
}

// Accept waits for a place, then for a connection.
func (g *gate) Accept() (net.Conn, error) {
	select {
	case g.places <- struct{}{}:
	case <-g.closed:
		return nil, net.ErrClosed
	}
	conn, err := g.Listener.Accept()
	if err != nil {
		<-g.places
	}
	return conn, err
}

// Close ends Accept.
func (g *gate) Close() error {
	g.once.Do(func() { close(g.closed) })
	return g.Listener.Close()
}

// left is the server's ConnState. The connections themselves are not wrapped, which would stand between a file and
// sendfile.
func (g *gate) left(_ net.Conn, state http.ConnState) {
	if state == http.StateClosed || state == http.StateHijacked {
		<-g.places
	}
}
