package distribution_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

func TestZZConformance(t *testing.T) {
	kind := dbtest.Kind(os.Getenv("ZZ"))
	if kind == "" {
		t.Skip()
	}
	d := dbtest.Open(t, kind)
	r := newRig(t, d)
	r.organization("conformance", "alice")
	host := strings.TrimPrefix(r.url, "http://")
	os.MkdirAll("/tmp/dist/a", 0o755)
	os.MkdirAll("/tmp/dist/b", 0o755)
	a := exec.Command("/tmp/zoo/bin/conformance-v1.1.1")
	a.Dir = "/tmp/dist/a"
	a.Env = append(os.Environ(), "OCI_ROOT_URL="+r.url, "OCI_NAMESPACE=conformance/repo1", "OCI_CROSSMOUNT_NAMESPACE=conformance/repo2", "OCI_USERNAME=alice", "OCI_PASSWORD="+password("alice"),
		"OCI_TEST_PULL=1", "OCI_TEST_PUSH=1", "OCI_TEST_CONTENT_DISCOVERY=1", "OCI_TEST_CONTENT_MANAGEMENT=1", "OCI_AUTOMATIC_CROSSMOUNT=1", "OCI_DELETE_MANIFEST_BEFORE_BLOBS=1", "OCI_HIDE_SKIPPED_WORKFLOWS=0", "OCI_REPORT_DIR=/tmp/dist/a")
	out, err := a.CombinedOutput()
	os.WriteFile("/tmp/dist/a/out.txt", out, 0o644)
	t.Log("A", err, tail(string(out), 15))
	b := exec.Command("/tmp/zoo/bin/conformance-main")
	b.Dir = "/tmp/dist/b"
	b.Env = append(os.Environ(), "OCI_REGISTRY="+host, "OCI_TLS=disabled", "OCI_REPO1=conformance/main1", "OCI_REPO2=conformance/main2", "OCI_USERNAME=alice", "OCI_PASSWORD="+password("alice"), "OCI_VERSION=dev", "OCI_RESULTS_DIR=/tmp/dist/b")
	out, err = b.CombinedOutput()
	os.WriteFile("/tmp/dist/b/out.txt", out, 0o644)
	t.Log("B", err, tail(string(out), 80))
}

func tail(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}
