package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/longshore-registry/longshore/test/process"
)

// Both programs push to these two repositories and sign in as this user, who owns the organization.
const (
	organization = "conformance"
	repository   = organization + "/repo1"
	other        = organization + "/repo2"
	user         = "conformer"
	password     = "a-password-of-this-run"
)

// suite is one of the two conformance programs: how it is told what to test, and how its summary reads.
type suite struct {
	name        string
	environment func(s *process.Server, reports string) []string
	count       func(output string) (counts, error)
	mayskip     int // cases that exclude each other, so that some of them are always skipped
}

// recognise tells the two programs apart by what they were built from.
func recognise(program string) (suite, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return suite{}, err
	}
	if !strings.HasPrefix(info.Path, "github.com/opencontainers/distribution-spec/conformance") {
		return suite{}, fmt.Errorf("it was built from %s, not from the specification's conformance directory", info.Path)
	}
	if strings.HasSuffix(info.Path, ".test") {
		return suite{"v1.1.1", environment111, count111, 4}, nil
	}
	return suite{"main", environmentMain, countMain, 0}, nil
}

// environment111 turns every workflow of v1.1.1 on, with automatic cross-mounting. No authentication scope is given:
// the challenge has to be right.
func environment111(s *process.Server, reports string) []string {
	return []string{
		"OCI_ROOT_URL=" + s.URL(""), "OCI_NAMESPACE=" + repository, "OCI_CROSSMOUNT_NAMESPACE=" + other,
		"OCI_USERNAME=" + user, "OCI_PASSWORD=" + password,
		"OCI_TEST_PULL=1", "OCI_TEST_PUSH=1", "OCI_TEST_CONTENT_DISCOVERY=1", "OCI_TEST_CONTENT_MANAGEMENT=1",
		"OCI_AUTOMATIC_CROSSMOUNT=1", "OCI_DELETE_MANIFEST_BEFORE_BLOBS=1", "OCI_HIDE_SKIPPED_WORKFLOWS=0",
		"OCI_REPORT_DIR=" + reports,
	}
}

// environmentMain asks for what the development version of the specification has: cancelled uploads, digest headers,
// tags as parameters; everything else is on by default. Sparse images stay off: they want an image accepted whose
// layers are missing, which this registry refuses on purpose.
func environmentMain(s *process.Server, reports string) []string {
	transport := "disabled"
	if s.CA != "" {
		transport = "enabled"
	}
	return []string{
		"OCI_REGISTRY=" + s.Host, "OCI_TLS=" + transport, "SSL_CERT_FILE=" + s.CA, "OCI_REPO1=" + repository, "OCI_REPO2=" + other,
		"OCI_USERNAME=" + user, "OCI_PASSWORD=" + password, "OCI_VERSION=dev", "OCI_RESULTS_DIR=" + reports,
		"OCI_CONFIGURATION=" + os.DevNull,
	}
}

// counts are the numbers of a program's summary.
type counts struct{ total, passed, failed, skipped int }

var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

func count111(output string) (counts, error) {
	plain := colour.ReplaceAllString(output, "")
	m := regexp.MustCompile(`(\d+) Passed \| (\d+) Failed \| (\d+) Pending \| (\d+) Skipped`).FindStringSubmatch(plain)
	if m == nil {
		return counts{}, fmt.Errorf("no summary in its output")
	}
	n := numbers(m[1:])
	return counts{total: n[0] + n[1] + n[2] + n[3], passed: n[0], failed: n[1], skipped: n[2] + n[3]}, nil
}

func countMain(output string) (counts, error) {
	of := func(status string) (int, error) {
		m := regexp.MustCompile(`(?m)^  ` + status + `\.*:\s+(\d+)$`).FindStringSubmatch(output)
		if m == nil {
			return 0, fmt.Errorf("no count of %q in its output", status)
		}
		return strconv.Atoi(m[1])
	}
	var n [6]int
	for i, status := range []string{"Total", "Pass", "FAIL", "Error", "Skip", "Disabled"} {
		count, err := of(status)
		if err != nil {
			return counts{}, err
		}
		n[i] = count
	}
	return counts{total: n[0], passed: n[1], failed: n[2] + n[3], skipped: n[4] + n[5]}, nil
}

func numbers(texts []string) []int {
	n := make([]int, len(texts))
	for i, text := range texts {
		n[i], _ = strconv.Atoi(text) // the expression matched digits
	}
	return n
}
