// Package config reads Quay's config.yaml, unchanged, and says what this version makes of it.
//
// One table (Chapters) has a row for every key that Quay knows: its type, its default, what it means and its Kind,
// which is what this version does with it. Parser, documentation and JSON schema are made from the table.
//
// Load promises: a value of a wrong type or form is an error that names file, line, key, what was found and what is
// allowed, and all errors are reported at once. A value that asks for a feature this version lacks is never passed
// over in silence: it is a refusal or a warning, by the key's Kind. A key that is absent, null or at its default has the
// same effect as no file at all. What Quay demands but does not need here (Redis, mail, storage, secrets on SQLite) is
// not demanded. Nothing that Load reports holds a secret.
package config

//go:generate go run ./gen -out ../../docs
