package distribution

import (
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

// read gives the parts of a target their meaning: the name its namespace, the reference its digest or tag.
func (t *target) read(names registry.NameOptions) error {
	if t.path == "" {
		return nil
	}
	var err error
	if t.namespace, t.name, err = registry.ParseName(t.path, names); err != nil {
		return err
	}
	switch t.kind {
	case kindBlob, kindReferrers:
		t.digest, err = parseDigest(t.reference)
	case kindManifest:
		var ref registry.Reference
		ref, err = registry.ParseReference(t.reference)
		t.digest, t.tag = ref.Digest, ref.Tag
	}
	return err
}

// parseDigest reads a digest that a client names.
func parseDigest(s string) (digest.Digest, error) {
	d, err := digest.Parse(s)
	if err != nil {
		return d, problem.New(problem.Invalid, "%s", err.Error()).WithCode("DIGEST_INVALID")
	}
	return d, nil
}
