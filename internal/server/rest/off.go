package rest

import "context"

// switchedOff is the handler of rows that stand for a feature this version lacks: they have an Off status, and it is
// never called.
func switchedOff(context.Context, *Call, *struct{}) (*none, error) { return nil, notFound() }
