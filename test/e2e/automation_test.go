//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/test/process"
)

// TestBootstrapByScript runs the way Quay documents for automation on an empty registry: initialize, organization, robot,
// repository, permission, push with the robot. The script is curl and skopeo.
func TestBootstrapByScript(t *testing.T) {
	z := newZoo(t)
	r := emptyRegistry(t, false, process.FirstUser)
	digest := r.bootstrap(t, z)
	if want := z.digest(t, gzipImage); digest != want {
		t.Errorf("the registry has %s under the tag, the script pushed %s", digest, want)
	}
	announce(t, "testdata/bootstrap.sh (curl, skopeo): initialize, organization, robot, repository, permission, push: "+digest+"\n")
	again := exec.CommandContext(t.Context(), "testdata/bootstrap.sh", r.URL(""), "second", r.owner.password, z.layout(gzipImage))
	if out, err := again.CombinedOutput(); err == nil || !strings.Contains(string(out), "Cannot initialize user in a non-empty database") {
		t.Errorf("the script made a second first user: %v\n%s", err, out)
	}
}

// bootstrap runs the script and gives the digest it prints.
func (r *registry) bootstrap(t *testing.T, z *zoo) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "testdata/bootstrap.sh", r.URL(""), r.owner.user, r.owner.password, z.layout(gzipImage))
	var said strings.Builder
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		t.Fatalf("bootstrap.sh: %v\n%s%s", err, out, said.String())
	}
	return strings.TrimSpace(string(out))
}

// TestBackstage runs the Quay plugins that Backstage publishes, as they come: the scaffolder's action makes a
// repository, the catalogue's service reads tags, a manifest and labels.
func TestBackstage(t *testing.T) {
	folder := os.Getenv("LONGSHORE_NODE_CLIENTS")
	if folder == "" {
		missing(t, "Backstage's plugins (Node and npm; make tools)")
	}
	z := newZoo(t)
	r := startRegistry(t, false, process.FirstUser)
	plugin := func(args ...string) string {
		command := exec.CommandContext(t.Context(), "node", append([]string{filepath.Join("testdata", "backstage.cjs"), folder, r.URL(""), r.Token}, args...)...)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("backstage %s: %v\n%s", args, err, out)
		}
		return string(out)
	}
	s := newSession(t, z, r, regctl()).as(regctl())
	repository := s.repository("templated")
	name := strings.TrimPrefix(repository, organization+"/")
	made := plugin("create", organization, name)
	if want := r.URL("/repository/" + repository); !strings.Contains(made, want) {
		t.Errorf("the action's output is %s, want %s in it", made, want)
	}
	seed(s, gzipImage, repository)
	var shown struct {
		Tags []struct {
			Digest string `json:"manifest_digest"`
		}
		Manifest struct{ Digest string }
		Labels   struct{ Labels []any }
	}
	if err := json.Unmarshal([]byte(plugin("show", organization, name, "v1")), &shown); err != nil {
		t.Fatal(err)
	}
	want := z.digest(t, gzipImage)
	if len(shown.Tags) != 1 || shown.Tags[0].Digest != want || shown.Manifest.Digest != want || shown.Labels.Labels == nil {
		t.Errorf("the plugin shows %+v, want the digest %s", shown, want)
	}
	announce(t, "Backstage's Quay plugins: the scaffolder's action made a repository; tags, manifest and labels were read\n")
}
