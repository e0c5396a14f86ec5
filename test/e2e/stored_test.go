//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// stored is a manifest as the registry serves it.
type stored struct {
	mediaType string
	digest    string
	body      []byte
}

// layers are the media types of its layers.
func (m stored) layers(t *testing.T) []string {
	t.Helper()
	var parsed struct {
		Layers []struct{ MediaType string }
	}
	if err := json.Unmarshal(m.body, &parsed); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, l := range parsed.Layers {
		types = append(types, l.MediaType)
	}
	return types
}

// manifest looks at what is stored, past all clients. ok is false when there is no such manifest.
func (r *registry) manifest(t *testing.T, repository, reference string) (m stored, ok bool) {
	t.Helper()
	response := r.registryGet(t, repository, "manifests/"+reference)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	switch response.StatusCode {
	case http.StatusOK:
		return stored{response.Header.Get("Content-Type"), response.Header.Get("Docker-Content-Digest"), body}, true
	case http.StatusNotFound:
		return stored{}, false
	}
	t.Fatalf("GET manifest %s:%s: %s\n%s", repository, reference, response.Status, body)
	return stored{}, false
}

// referrers are the artifact types of what refers to a digest, sorted.
func (r *registry) referrers(t *testing.T, repository, digest string) []string {
	t.Helper()
	response := r.registryGet(t, repository, "referrers/"+digest)
	defer response.Body.Close()
	var index struct {
		Manifests []struct{ ArtifactType string }
	}
	if err := json.NewDecoder(response.Body).Decode(&index); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET referrers of %s@%s: %s, %v", repository, digest, response.Status, err)
	}
	var types []string
	for _, m := range index.Manifests {
		types = append(types, m.ArtifactType)
	}
	slices.Sort(types)
	return types
}

func (r *registry) registryGet(t *testing.T, repository, path string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL("/v2/"+repository+"/"+path), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+r.pullToken(t, repository))
	for _, accept := range []string{"application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
		"application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.docker.distribution.manifest.v2+json"} {
		request.Header.Add("Accept", accept)
	}
	response, err := r.HTTP.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// pullToken asks the token endpoint that the challenge of /v2/ names.
func (r *registry) pullToken(t *testing.T, repository string) string {
	t.Helper()
	response, err := r.HTTP.Get(r.URL("/v2/"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	challenge := response.Header.Get("WWW-Authenticate")
	ask := fmt.Sprintf("%s?service=%s&scope=%s", parameter(challenge, "realm"),
		url.QueryEscape(parameter(challenge, "service")), url.QueryEscape("repository:"+repository+":pull"))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, ask, nil)
	if err != nil {
		t.Fatalf("challenge %q: %v", challenge, err)
	}
	request.SetBasicAuth(r.owner.user, r.owner.password)
	response, err = r.HTTP.Do(request)
	if err != nil {
		t.Fatalf("challenge %q: %v", challenge, err)
	}
	defer response.Body.Close()
	var answer struct{ Token string }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Token == "" {
		t.Fatalf("GET %s: %s without a token: %v", ask, response.Status, err)
	}
	return answer.Token
}

func parameter(challenge, name string) string {
	_, after, _ := strings.Cut(challenge, name+`="`)
	value, _, _ := strings.Cut(after, `"`)
	return value
}
