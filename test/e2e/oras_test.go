//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// oras moves artifacts of any kind.
func oras() client {
	trust := func(s *session, prefix string) []string {
		return s.flags([]string{"--" + prefix + "plain-http"}, []string{"--" + prefix + "ca-file", s.registry.CA})
	}
	m := mover{
		up: func(s *session, layout, ref string) error {
			_, err := s.run(append([]string{"oras", "cp", "--no-tty", "--from-oci-layout", layout + ":v1", ref}, trust(s, "to-")...)...)
			return err
		},
		down: func(s *session, ref, layout string) error {
			_, err := s.run(append([]string{"oras", "cp", "--no-tty", ref, "--to-oci-layout", layout + ":v1"}, trust(s, "from-")...)...)
			return err
		},
	}
	return client{
		name: "oras", needs: []string{"oras"},
		login: func(s *session, c credential) error {
			_, err := s.runWith(c.password, append([]string{"oras", "login", s.registry.Host, "-u", c.user, "--password-stdin"}, trust(s, "")...)...)
			return err
		},
		place: m.place, fetch: m.fetch,
		cells: m.cells(map[cell]func(*session){
			artifact:  orasArtifact,
			referrers: func(s *session) { orasReferrers(s, m) },
			chartPush: orasChart,
			remove:    func(s *session) { orasDelete(s, m) },
		}),
	}
}

func orasFlags(s *session) []string {
	return s.flags([]string{"--plain-http"}, []string{"--ca-file", s.registry.CA})
}

// runOras runs an oras command that has to work, over the registry's transport.
func runOras(s *session, args ...string) string {
	s.t.Helper()
	return s.must(append(append([]string{"oras"}, args...), orasFlags(s)...)...)
}

// orasDigest reads the digest from what oras prints with --format json.
func orasDigest(s *session, out string) string {
	s.t.Helper()
	var parsed struct{ Digest string }
	if err := json.Unmarshal([]byte(out), &parsed); err != nil || parsed.Digest == "" {
		s.t.Fatalf("oras printed no digest: %v\n%s", err, out)
	}
	return parsed.Digest
}

func pushArtifact(s *session, repository string) (digest string) {
	s.t.Helper()
	s.check(os.WriteFile(s.path("hello.txt"), []byte("hello, artifact\n"), 0o600))
	return orasDigest(s, runOras(s, "push", "--no-tty", "--format", "json", "--artifact-type", "application/vnd.example.greeting",
		s.ref(repository, "v1"), "hello.txt:text/plain"))
}

// seedArtifact has oras push an artifact for another client.
func seedArtifact(s *session, repository string) (digest string) {
	s.t.Helper()
	return pushArtifact(s.as(oras()), repository)
}

func orasArtifact(s *session) {
	repository := s.repository("artifact")
	digest := pushArtifact(s, repository)
	if got := s.stored(repository, "v1").digest; got != digest {
		s.t.Fatalf("oras reports %s, the registry stores %s", digest, got)
	}
	runOras(s, "pull", "--no-tty", "-o", s.path("back"), s.ref(repository, digest))
	if data, err := os.ReadFile(s.path("back/hello.txt")); err != nil || string(data) != "hello, artifact\n" {
		s.t.Fatalf("the artifact's file came back as %q, %v", data, err)
	}
}

func orasReferrers(s *session, m mover) {
	repository := s.repository("referrers")
	digest, err := m.place(s, repository)
	s.check(err)
	s.check(os.WriteFile(s.path("sbom.json"), []byte("{}"), 0o600))
	runOras(s, "attach", "--no-tty", "--artifact-type", "application/vnd.example.sbom", s.ref(repository, digest), "sbom.json:application/json")
	runOras(s, "attach", "--no-tty", "--artifact-type", "application/vnd.example.report", "-a", "passed=true", s.ref(repository, digest))
	want := []string{"application/vnd.example.report", "application/vnd.example.sbom"}
	if got := s.registry.referrers(s.t, repository, digest); !slices.Equal(got, want) {
		s.t.Fatalf("the registry lists %v as referrers, want %v", got, want)
	}
	tree := runOras(s, "discover", "--artifact-type", want[1], s.ref(repository, digest))
	if !strings.Contains(tree, want[1]) || strings.Contains(tree, want[0]) {
		s.t.Fatalf("oras discover with a filter printed\n%s", tree)
	}
	// Copied with its referrers, the image has them there too.
	copied := s.repository("referrers-copy")
	s.must(append([]string{"oras", "cp", "--no-tty", "-r", s.ref(repository, digest), s.ref(copied, "v1")},
		s.flags([]string{"--from-plain-http", "--to-plain-http"}, []string{"--from-ca-file", s.registry.CA, "--to-ca-file", s.registry.CA})...)...)
	if got := s.registry.referrers(s.t, copied, digest); !slices.Equal(got, want) {
		s.t.Fatalf("after oras cp -r the registry lists %v as referrers, want %v", got, want)
	}
}

// orasChart pushes a chart the way helm does; helm must be able to pull it.
func orasChart(s *session) {
	repository := s.repository("greeter")
	chart := packageChart(s, helm(4), "greeter")
	s.check(os.WriteFile(s.path("config.json"), []byte(`{"name":"greeter","version":"1.2.3","apiVersion":"v2"}`), 0o600))
	runOras(s, "push", "--no-tty", "--disable-path-validation", "--config", "config.json:application/vnd.cncf.helm.config.v1+json",
		s.ref(repository, "1.2.3"), filepath.Base(chart)+":application/vnd.cncf.helm.chart.content.v1.tar+gzip")
	pullChart(s.as(helm(4)), repository, chart)
}

func orasDelete(s *session, m mover) {
	repository := s.repository("delete")
	digest, err := m.place(s, repository)
	s.check(err)
	runOras(s, "tag", s.ref(repository, "v1"), "v2")
	if got := strings.Fields(runOras(s, "repo", "tags", s.registry.Host+"/"+repository)); !slices.Equal(got, []string{"v1", "v2"}) {
		s.t.Fatalf("tags are %v, want v1 and v2", got)
	}
	var manifest struct{ Config descriptor }
	s.check(json.Unmarshal(s.stored(repository, digest).body, &manifest))
	runOras(s, "manifest", "delete", "-f", s.ref(repository, digest))
	gone(s, repository, "v1")
	gone(s, repository, "v2")
	runOras(s, "blob", "delete", "-f", s.ref(repository, manifest.Config.Digest))
	response := s.registry.registryGet(s.t, repository, "blobs/"+manifest.Config.Digest)
	response.Body.Close()
	if response.StatusCode != 404 {
		s.t.Fatalf("GET of a deleted blob: %s", response.Status)
	}
}
