// Package e2e is the black box: it starts the built program as a user would, on a free port with data in a temporary
// folder, and drives it with the real clients of the field. It imports nothing of the program.
//
// The tests have the build tag e2e; `make e2e` runs them with the clients that `make tools` builds. What a client
// cannot do is a row of cannot.go with its reason. A part that is missing on the machine skips what needs it and says
// how to get it; with CI set it fails.
//
//	LONGSHORE_E2E_SERVER  the program to test (default bin/longshore); anything with its command line will do
//	LONGSHORE_TOOLS_BIN   the folder with the built clients, set by test/run
//	LONGSHORE_E2E_REPORT  a file that the results are added to, also when all is well
//	LONGSHORE_E2E_KEEP    keep the temporary folder and say where it is
package e2e
