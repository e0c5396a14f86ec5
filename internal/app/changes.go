package app

import _ "embed" // the file below

// changes is what the superuser panel shows of what changed from version to version.
//
//go:embed changes.md
var changes string
