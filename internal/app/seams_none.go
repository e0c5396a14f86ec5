//go:build !crashpoints

package app

func newSeams(Program) (seams, error) { return seams{}, nil }
