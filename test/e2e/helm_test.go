//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

const chartVersion = "1.2.3"

// helm is Helm of a major version.
func helm(major int) client {
	name := fmt.Sprintf("helm-v%d", major)
	c := client{name: fmt.Sprintf("helm%d", major), needs: []string{name}}
	c.login = func(s *session, who credential) error {
		_, err := s.runWith(who.password, append([]string{name, "registry", "login", "-u", who.user, "--password-stdin", s.registry.Host}, helmFlags(s)...)...)
		return err
	}
	c.place = func(s *session, repository string) (string, error) {
		return pushChart(s, repository, packageChart(s, c, path.Base(repository)))
	}
	c.fetch = func(s *session, repository, digest string) error {
		pullChart(s, repository, filepath.Join(s.home, path.Base(repository)+"-"+chartVersion+".tgz"))
		if got := s.stored(repository, chartVersion).digest; got != digest {
			return fmt.Errorf("helm reported %s, the registry stores %s", digest, got)
		}
		return nil
	}
	placed := func(s *session, repository string) string {
		digest, err := c.place(s, repository)
		s.check(err)
		return digest
	}
	c.cells = map[cell]func(*session){
		chartPush: func(s *session) {
			repository := s.repository("charts/greeter")
			placed(s, repository)
			chartStored(s, repository)
		},
		chartPull: func(s *session) {
			repository := s.repository("charts/pulled")
			s.check(c.fetch(s, repository, placed(s, repository)))
			shown := s.must(append([]string{name, "show", "chart", "oci://" + s.registry.Host + "/" + repository, "--version", chartVersion}, helmFlags(s)...)...)
			if !strings.Contains(shown, "name: pulled") {
				s.t.Fatalf("helm show chart printed\n%s", shown)
			}
		},
		chartInstall: func(s *session) { installChart(s, name, placed) },
	}
	return c
}

func helmFlags(s *session) []string {
	return s.flags([]string{"--plain-http"}, []string{"--ca-file", s.registry.CA})
}

// packageChart packages the test's chart under another name and returns the file.
func packageChart(s *session, c client, name string) string {
	s.t.Helper()
	source := s.path("chart-" + name)
	s.check(os.CopyFS(source, os.DirFS("testdata/chart")))
	about, err := os.ReadFile(source + "/Chart.yaml")
	s.check(err)
	s.check(os.WriteFile(source+"/Chart.yaml", bytes.Replace(about, []byte("name: greeter"), []byte("name: "+name), 1), 0o600))
	s.must(c.needs[0], "package", source, "-d", s.home)
	s.check(os.RemoveAll(source))
	return filepath.Join(s.home, name+"-"+chartVersion+".tgz")
}

// pushChart pushes a packaged chart: helm adds its name to the folder it is pushed to.
func pushChart(s *session, repository, chart string) (digest string, err error) {
	args := append([]string{s.client.needs[0], "push", chart, "oci://" + s.registry.Host + "/" + path.Dir(repository)}, helmFlags(s)...)
	stdout, stderr, err := s.execute("", args) // Helm 3 and 4 differ in where they print the digest
	if err != nil {
		return "", err
	}
	match := regexp.MustCompile(`Digest: (sha256:[0-9a-f]{64})`).FindStringSubmatch(stdout + stderr)
	if match == nil {
		return "", fmt.Errorf("helm push printed no digest:\n%s%s", stdout, stderr)
	}
	return match[1], nil
}

// pullChart pulls a chart and compares it with the file that was pushed.
func pullChart(s *session, repository, pushed string) {
	s.t.Helper()
	folder := s.path("pulled-charts")
	s.check(os.MkdirAll(folder, 0o700))
	s.must(append([]string{s.client.needs[0], "pull", "oci://" + s.registry.Host + "/" + repository, "--version", chartVersion, "-d", folder}, helmFlags(s)...)...)
	want, err := os.ReadFile(pushed)
	s.check(err)
	got, err := os.ReadFile(filepath.Join(folder, path.Base(repository)+"-"+chartVersion+".tgz"))
	s.check(err)
	if !bytes.Equal(got, want) {
		s.t.Fatalf("the chart of %s came back different", repository)
	}
}

// chartStored checks the media types of a stored chart.
func chartStored(s *session, repository string) {
	s.t.Helper()
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	s.check(json.Unmarshal(s.stored(repository, chartVersion).body, &manifest))
	if manifest.Config.MediaType != "application/vnd.cncf.helm.config.v1+json" || len(manifest.Layers) != 1 ||
		manifest.Layers[0].MediaType != "application/vnd.cncf.helm.chart.content.v1.tar+gzip" {
		s.t.Fatalf("the chart is stored with config %s and layers %v", manifest.Config.MediaType, manifest.Layers)
	}
}

// installChart renders the release that helm would install from the registry, and the same with helm template. Helm 3
// asks a cluster for its version even in a dry run: it gets an API server that knows nothing else.
func installChart(s *session, name string, placed func(*session, string) string) {
	repository := s.repository("charts/installed")
	placed(s, repository)
	cluster := httptest.NewServer(http.HandlerFunc(emptyCluster))
	s.t.Cleanup(cluster.Close)
	s.env = append(s.env, "HELM_KUBEAPISERVER="+cluster.URL)
	from := append([]string{"tides", "oci://" + s.registry.Host + "/" + repository, "--version", chartVersion}, helmFlags(s)...)
	for _, command := range [][]string{{name, "install", "--dry-run=client", "--disable-openapi-validation"}, {name, "template"}} {
		out := s.must(append(command, from...)...)
		if !strings.Contains(out, "name: tides-greeting") || !strings.Contains(out, `greeting: "hello"`) {
			s.t.Fatalf("%s printed\n%s", strings.Join(command, " "), out)
		}
	}
}

func emptyCluster(w http.ResponseWriter, r *http.Request) {
	answers := map[string]string{
		"/version": `{"major":"1","minor":"37","gitVersion":"v1.37.0"}`,
		"/api":     `{"kind":"APIVersions","versions":["v1"]}`,
		"/apis":    `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`,
		"/api/v1":  `{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"configmaps","namespaced":true,"kind":"ConfigMap","verbs":["get"]}]}`,
	}
	answer, ok := answers[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, answer)
}
