//go:build !linux

package spool

import "os"

func allocateFile(*os.File, int64) error { return errNoReserve }
