// Package houserules holds the tests that keep the repository in the shape docs/architecture.md describes: the
// direction of imports, one importer for each SDK, a comment on every package, no init functions and no mutable
// package variables.
package houserules
