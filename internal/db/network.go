package db

import (
	"errors"
	"io"
	"net"
)

// isNetwork reports whether err's chain ends in a broken connection.
func isNetwork(err error) bool {
	var n net.Error
	return errors.As(err, &n) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
