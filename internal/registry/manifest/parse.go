package manifest

import (
	"strconv"
	"strings"
)

// The members of manifests and indexes, and those by which schema 1 is known (its own spelling).
const (
	documentMembers  = "schemaVersion mediaType config layers manifests subject artifactType annotations " + schemaOneMembers
	schemaOneMembers = "fsLayers history"
)

// Parse reads a manifest or index that was pushed with a Content-Type header, which may be empty. Errors are
// MANIFEST_INVALID: of kind UnsupportedMedia for a type that is not taken, TooLarge above a limit, else Invalid.
func Parse(b []byte, contentType string, l Limits) (*Document, error) {
	if len(b) > l.Bytes {
		return nil, tooLarge("it has %d bytes: at most %d are allowed", len(b), l.Bytes)
	}
	claimed, err := claimedType(contentType)
	if err != nil {
		return nil, err
	}
	if err := scan(b, l); err != nil {
		return nil, err
	}
	o, err := parseObject("", b, documentMembers)
	if err != nil {
		return nil, err
	}
	d := &Document{}
	if d.MediaType, err = typeOf(o); err != nil {
		return nil, err
	}
	if claimed != "" && claimed != d.MediaType {
		return nil, mismatch("the Content-Type is %s, the document is %s", quote(claimed), quote(d.MediaType))
	}
	if err := checkShape(o, d.MediaType); err != nil {
		return nil, err
	}
	return d, d.read(o, l)
}

// claimedType is the type a Content-Type header names, without its parameters; empty when it leaves the choice to the
// document.
func claimedType(header string) (string, error) {
	name, _, _ := strings.Cut(header, ";")
	name = strings.ToLower(strings.TrimSpace(name))
	switch name {
	case "", "application/json":
		return "", nil
	case OCIManifest, OCIIndex, DockerManifest, DockerList:
		return name, nil
	case DockerSchema1, DockerSigned1:
		return "", schemaOne()
	}
	return "", unsupported("the Content-Type is %s, allowed are %s", quote(name), list(pushable()))
}

// pushable are the types a push may have.
func pushable() []string {
	return []string{OCIManifest, OCIIndex, DockerManifest, DockerList}
}

func schemaOne() error {
	return unsupported("Docker schema 1 manifests cannot be pushed any more, those stored before are still served; " +
		"push the image again with Docker 1.10 or newer, or convert it: skopeo copy --format v2s2")
}

// typeOf decides a document's media type: the member, else the shape.
func typeOf(o object) (string, error) {
	name, err := o.text("mediaType")
	if err != nil {
		return "", err
	}
	switch name {
	case OCIManifest, OCIIndex, DockerManifest, DockerList:
		return name, nil
	case DockerSchema1, DockerSigned1:
		return "", schemaOne()
	case "":
		return shape(o)
	}
	return "", unsupported("the mediaType is %s, allowed are %s", quote(name), list(pushable()))
}

func shape(o object) (string, error) {
	version, err := o.integer("schemaVersion")
	switch {
	case err != nil:
		return "", err
	case version == 1:
		return "", schemaOne()
	case o.has("manifests"):
		return OCIIndex, nil
	case o.has("config") || o.has("layers"):
		return OCIManifest, nil
	}
	return "", mismatch("without a mediaType it must have config and layers, or manifests")
}

// checkShape refuses a document that another reader could take for something else (CVE-2021-41190).
func checkShape(o object, mediaType string) error {
	version, err := o.integer("schemaVersion")
	if err != nil {
		return err
	}
	if version != 2 {
		return mismatch("schemaVersion is %s, expected 2", strconv.FormatInt(version, 10))
	}
	foreign := "manifests " + schemaOneMembers
	if isIndex(mediaType) {
		foreign = "config layers " + schemaOneMembers
	}
	for member := range strings.FieldsSeq(foreign) {
		if o.has(member) {
			return mismatch("a document of type %s must not have the member %s", quote(mediaType), quote(member))
		}
	}
	return nil
}

func isIndex(mediaType string) bool { return mediaType == OCIIndex || mediaType == DockerList }

// read takes what the registry needs from the members.
func (d *Document) read(o object, l Limits) (err error) {
	if d.Annotations, err = o.annotations(l); err != nil {
		return err
	}
	if isIndex(d.MediaType) {
		err = d.readIndex(o, l)
	} else {
		err = d.readManifest(o, l)
	}
	if err != nil {
		return err
	}
	if d.MediaType == DockerManifest || d.MediaType == DockerList {
		return nil // Docker's types know neither subject nor artifactType
	}
	if d.ArtifactType, err = o.mediaType("artifactType"); err != nil || !o.set("subject") {
		return err
	}
	subject, err := parseDescriptor("subject", o.members["subject"], l)
	d.Subject = subject.Digest
	return err
}

func (d *Document) readIndex(o object, l Limits) (err error) {
	d.Kind = Index
	if d.MediaType == DockerList {
		d.Kind = DockerIndex
	}
	d.Manifests, err = descriptors(o, "manifests", l)
	return err
}

func (d *Document) readManifest(o object, l Limits) (err error) {
	if !o.set("config") {
		return mismatch("config is missing")
	}
	if d.Config, err = parseDescriptor("config", o.members["config"], l); err != nil {
		return err
	}
	if d.Layers, err = descriptors(o, "layers", l); err != nil {
		return err
	}
	switch {
	case d.MediaType == DockerManifest:
		d.Kind = DockerImage
	case ImageConfig(d.Config.MediaType):
		d.Kind = Image
	default:
		d.Kind = OtherArtifact
	}
	return nil
}

// ImageConfig reports whether a config of the type is an image's, with labels.
func ImageConfig(mediaType string) bool { return mediaType == OCIConfig || mediaType == DockerConfig }

// descriptors reads a required list. Encoders that know no empty list write null.
func descriptors(o object, member string, l Limits) ([]Descriptor, error) {
	if !o.has(member) {
		return nil, mismatch("%s is missing", member)
	}
	raw, err := o.elements(member, l.Descriptors)
	if err != nil {
		return nil, err
	}
	all := make([]Descriptor, len(raw))
	for i := range raw {
		if all[i], err = parseDescriptor(member+"["+strconv.Itoa(i)+"]", raw[i], l); err != nil {
			return nil, err
		}
	}
	return all, nil
}
