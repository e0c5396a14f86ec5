package manifest

// Refused names what common tools push and the allow-list refuses, for a line at the start: nil when there is none.
func (p Policy) Refused() []string {
	if p.Types == nil {
		return nil
	}
	const empty, image = EmptyJSON, OCIConfig
	var refused []string
	for _, known := range []struct{ name, config, artifactType, layer string }{
		{"Helm charts", HelmConfig, "", "application/vnd.cncf.helm.chart.content.v1.tar+gzip"},
		{"Helm provenance files", HelmConfig, "", "application/vnd.cncf.helm.chart.provenance.v1.prov"},
		{"cosign signatures (.sig tags)", image, "", "application/vnd.dev.cosign.simplesigning.v1+json"},
		{"cosign attestations (.att tags)", image, "", "application/vnd.dsse.envelope.v1+json"},
		{"cosign bundles (referrers)", empty, "application/vnd.dev.sigstore.bundle.v0.3+json", "application/vnd.dev.sigstore.bundle.v0.3+json"},
		{"BuildKit attestations", image, "", "application/vnd.in-toto+json"},
		{"notation signatures", "application/vnd.cncf.notary.signature", "", "application/jose+json"},
		{"encrypted images", image, "", "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"},
	} {
		d := &Document{MediaType: OCIManifest, ArtifactType: known.artifactType, Config: Descriptor{MediaType: known.config},
			Layers: []Descriptor{{MediaType: known.layer}}}
		if p.checkTypes(d) != nil {
			refused = append(refused, known.name)
		}
	}
	return refused
}
