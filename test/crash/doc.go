// Package crash kills the program at every durable step of a push and of an API change, starts it again on the same
// data, and holds what is there against what was acknowledged.
//
// The tests have the build tag e2e and need a program that was built with the tag crashpoints; they build it themselves.
// Concurrent clients push by all ways there are, mount, tag, delete, renew promises, sign in and out, and change robots,
// permissions, repositories and organizations through the API, and read back at once some of what they did, until the
// process dies at the point under test. Then, after a restart within two seconds:
//
//   - what was answered 2xx is there with the right bytes, and what was deleted is not;
//   - a tag, a robot's token and every other register has a value that the last acknowledged or an unanswered write gave;
//   - a readable manifest has all its blobs;
//   - an open upload goes on where its last answer said, or further;
//   - every file of the store is named by a row, so that a collection finds it.
//
// Other tests let the system fail (a read, a sync, a full disk, a clock that steps, a database that is away) while the
// process goes on: what was acknowledged stays readable, what cannot be stored gets a clear error, and nobody has to
// restart anything. What fails below the program's own seams, in the files of the embedded database or within sendfile,
// is made to fail by a filter for system calls (gate_test.go).
//
//	go test -tags e2e -parallel 8 ./test/crash                            every point on both databases, once
//	go test -tags e2e -parallel 8 ./test/crash -crash.seeds=5             five times
//	LONGSHORE_SOAK=20 go test -tags e2e -timeout 4h ./test/crash          20 times, and every step of taking an upload over
//	go test -tags e2e ./test/crash -run Crash -crash.points='fs:sync*'    some points
package crash
