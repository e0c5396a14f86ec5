package mail

import (
	"context"
	"errors"
	"net"
	"net/textproto"
	"strings"
	"sync"

	gomail "github.com/wneessen/go-mail"
)

// line is the one connection of a dialogue, so that it can be closed from outside.
type line struct {
	mu     sync.Mutex
	conn   net.Conn
	closed bool
}

func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errors.Join(context.Canceled, conn.Close())
	}
	l.conn = conn
	return conn, nil
}

// reached reports whether the server took the connection.
func (l *line) reached() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn != nil
}

func (l *line) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.conn != nil {
		_ = l.conn.Close()
	}
}

// isAuthRefusal knows the answers to a wrong password (RFC 4954 §6).
func isAuthRefusal(err error) bool {
	var answer *textproto.Error
	return errors.As(err, &answer) && (answer.Code == 535 || answer.Code == 534 || answer.Code == 530 || answer.Code == 454)
}

// isAuthMissing knows a server that takes no password, or not this way; for the first the client library has words only.
func isAuthMissing(err error) bool {
	return errors.Is(err, gomail.ErrNoSupportedAuthDiscovered) || errors.Is(err, gomail.ErrPlainAuthNotSupported) ||
		strings.Contains(err.Error(), "does not support SMTP AUTH")
}

// isTLSMissing knows the client library's words for a server without STARTTLS, for which it has no error value.
func isTLSMissing(err error) bool { return strings.Contains(err.Error(), "STARTTLS") }
