//go:build e2e

package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/test/process"
)

// signingPassword protects the key pair that one run of the zoo signs with.
const signingPassword = "only-for-this-run"

// zoo is what all clients share: the images and the keys.
type zoo struct {
	fixtures string // folder of OCI layouts, see test/tools/fixtures
	keys     string // cosign.key, cosign.pub, an empty signing-config.json and trusted-root.json; decrypt.pem, encrypt.pem
}

// The images, by the name of their layout.
const (
	gzipImage        = "gzip"
	zstdImage        = "zstd"
	indexImage       = "index"
	estargzImage     = "estargz"
	zstdChunkedImage = "zstdchunked"
	secretImage      = "secret"
	encryptedImage   = "encrypted"
)

// newZoo writes the images and makes the keys.
func newZoo(t *testing.T) *zoo {
	t.Helper()
	folder := temporary(t)
	z := &zoo{fixtures: filepath.Join(folder, "images"), keys: filepath.Join(folder, "keys")}
	for _, d := range []string{z.fixtures, z.keys} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	z.tool(t, nil, "fixtures", z.fixtures)
	z.tool(t, []string{"COSIGN_PASSWORD=" + signingPassword}, "cosign", "generate-key-pair", "--output-key-prefix", filepath.Join(z.keys, "cosign"))
	z.tool(t, nil, "cosign", "signing-config", "create", "--out", z.key("signing-config.json"))
	z.tool(t, nil, "cosign", "trusted-root", "create", "--out", z.key("trusted-root.json"))
	z.encryptionKeys(t)
	z.tool(t, nil, "skopeo", "copy", "-q", "--insecure-policy", "--encryption-key", "jwe:"+filepath.Join(z.keys, "encrypt.pem"),
		"oci:"+z.layout(secretImage)+":v1", "oci:"+z.layout(encryptedImage)+":v1")
	return z
}

func (z *zoo) layout(name string) string { return filepath.Join(z.fixtures, name) }

func (z *zoo) key(name string) string { return filepath.Join(z.keys, name) }

// tool runs a program that needs no registry.
func (z *zoo) tool(t *testing.T, env []string, args ...string) {
	t.Helper()
	program, err := findProgram(args[0])
	if err != nil {
		missing(t, args[0]+" (make tools)")
	}
	command := exec.CommandContext(t.Context(), program, args[1:]...)
	command.Env, command.Dir = append(env, "PATH=/usr/bin:/bin", "HOME="+z.keys), z.keys
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", args, err, out)
	}
}

func (z *zoo) encryptionKeys(t *testing.T) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if err := process.WritePEM(z.key("decrypt.pem"), "PRIVATE KEY", private); err != nil {
		t.Fatal(err)
	}
	if err := process.WritePEM(z.key("encrypt.pem"), "PUBLIC KEY", public); err != nil {
		t.Fatal(err)
	}
}

// descriptor is what a layout or a manifest says of a blob.
type descriptor struct {
	MediaType   string
	Digest      string
	Annotations map[string]string
}

// layoutImage reads the descriptor of a layout's image: the one tagged v1, or the only one.
func layoutImage(t *testing.T, layout string) descriptor {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(layout, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index struct{ Manifests []descriptor }
	if err := json.Unmarshal(data, &index); err != nil || len(index.Manifests) == 0 {
		t.Fatalf("%s/index.json: %v, %d images", layout, err, len(index.Manifests))
	}
	for _, image := range index.Manifests {
		if image.Annotations["org.opencontainers.image.ref.name"] == "v1" {
			return image
		}
	}
	if len(index.Manifests) > 1 {
		t.Fatalf("%s holds %d images, none is tagged v1", layout, len(index.Manifests))
	}
	return index.Manifests[0]
}

func (z *zoo) digest(t *testing.T, name string) string {
	t.Helper()
	return layoutImage(t, z.layout(name)).Digest
}

// sameImage checks that a layout that a client wrote holds every byte of a fixture.
func (z *zoo) sameImage(t *testing.T, name, got string) {
	t.Helper()
	want := z.layout(name)
	if w, g := layoutImage(t, want).Digest, layoutImage(t, got).Digest; w != g {
		t.Fatalf("%s came back as %s, it was pushed as %s", name, g, w)
	}
	blobs, err := os.ReadDir(filepath.Join(want, "blobs/sha256"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blobs {
		wanted, err := os.ReadFile(filepath.Join(want, "blobs/sha256", b.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found, err := os.ReadFile(filepath.Join(got, "blobs/sha256", b.Name()))
		if err != nil {
			t.Fatalf("%s came back incomplete: %v", name, err)
		}
		if !bytes.Equal(wanted, found) {
			t.Fatalf("%s: blob %s differs", name, b.Name())
		}
	}
}

// layersOf are the digests of the layers of a layout's image.
func layersOf(t *testing.T, layout string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(layout, "blobs/sha256", strings.TrimPrefix(layoutImage(t, layout).Digest, "sha256:")))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Layers []descriptor }
	if err := json.Unmarshal(data, &manifest); err != nil {
		t.Fatal(err)
	}
	var digests []string
	for _, l := range manifest.Layers {
		digests = append(digests, l.Digest)
	}
	return digests
}
