//go:build e2e

package e2e

import "slices"

// inability is a cell that a client itself cannot do, whatever the registry. It is no excuse for the registry: what
// a client can do has a test.
type inability struct {
	clients []string
	cells   []cell
	why     string
}

// inabilities are all of them. The versions are Debian 12's and those of test/tools.
func inabilities() []inability {
	images := []string{"docker", "podman", "buildah", "skopeo", "containerd", "crane", "regctl"}
	helms := []string{"helm3", "helm4"}
	return []inability{
		{[]string{"containerd"}, []cell{logIn}, "ctr has no login, it sends --user with every command (as all its other cells do)"},
		{[]string{"docker"}, []cell{zstdLayers}, "dockerd 20.10 unpacks gzip only, zstd came with Docker 23"},
		{[]string{"docker"}, []cell{encrypted}, "dockerd has no decryption"},
		{[]string{"podman"}, []cell{encrypted}, "podman 4.3 has no --encryption-key and --decryption-key"},
		{[]string{"docker", "podman", "buildah", "containerd"}, []cell{artifact}, "runs images, has no command for other artifacts"},
		{[]string{"docker", "podman", "buildah", "skopeo", "containerd", "crane"}, []cell{referrers}, "no command that makes or lists referrers"},
		{[]string{"podman", "buildah", "skopeo"}, []cell{signatureTag}, "Debian builds it without sigstore"},
		{[]string{"docker", "containerd", "crane", "oras"}, []cell{signatureTag}, "no command that signs or copies signatures by tag"},
		{[]string{"docker", "podman", "buildah", "containerd"}, []cell{remove}, "deletes from its own store only, not from a registry"},
		{images, []cell{chartPush, chartPull, chartInstall}, "knows nothing of charts"},
		{[]string{"oras"}, []cell{chartPull, chartInstall}, "packs and pulls files, knows nothing of charts; what it pushed is pulled by helm"},
		{helms, []cell{gzipLayers, zstdLayers, multiArch, seekable, encrypted, artifact}, "moves charts only"},
		{helms, []cell{referrers, signatureTag}, "its signatures (.prov) are a layer of the chart"},
		{helms, []cell{remove}, "no command that deletes"},
		{[]string{"cosign3"}, []cell{gzipLayers, zstdLayers, seekable, encrypted, artifact}, "signs manifests, never looks at layers"},
		{[]string{"cosign3"}, []cell{chartPush, chartPull, chartInstall}, "knows nothing of charts"},
	}
}

// reason tells why a client cannot do a cell.
func reason(client string, c cell) (string, bool) {
	for _, i := range inabilities() {
		if slices.Contains(i.clients, client) && slices.Contains(i.cells, c) {
			return i.why, true
		}
	}
	return "", false
}
