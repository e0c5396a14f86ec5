package manifest

import (
	"encoding/json"
	"strings"
)

// largest is a bound on what a descriptor may claim, so that sums of sizes cannot overflow: 256 TiB.
const largest = 1 << 48

// The members of a descriptor and of a platform (image-spec v1.1.1, descriptor.md and image-index.md).
const (
	descriptorMembers = "mediaType digest size urls annotations data artifactType platform"
	platformMembers   = "architecture os os.version os.features variant features"
)

// parseDescriptor reads a descriptor. Its data member is left alone.
func parseDescriptor(at string, raw json.RawMessage, l Limits) (d Descriptor, err error) {
	o, err := parseObject(at, raw, descriptorMembers)
	if err != nil {
		return Descriptor{}, err
	}
	if d.MediaType, err = o.mediaType("mediaType"); err != nil {
		return Descriptor{}, err
	}
	if d.MediaType == "" {
		return Descriptor{}, mismatch("%s is missing", o.name("mediaType"))
	}
	if d.Digest, err = o.digest("digest"); err != nil {
		return Descriptor{}, err
	}
	if d.Size, err = o.integer("size"); err != nil {
		return Descriptor{}, err
	}
	if d.Size < 0 || d.Size > largest {
		return Descriptor{}, mismatch("invalid layer size: %s is %d", o.name("size"), d.Size)
	}
	if d.URLs, err = o.strings("urls", l.URLs); err != nil {
		return Descriptor{}, err
	}
	if _, err = o.annotations(l); err != nil {
		return Descriptor{}, err
	}
	return d, checkRest(o)
}

// checkRest looks at members whose values are not needed here but decide something for a client.
func checkRest(o object) error {
	if _, err := o.mediaType("artifactType"); err != nil {
		return err
	}
	if !o.set("platform") {
		return nil
	}
	platform, err := parseObject(o.name("platform"), o.members["platform"], platformMembers)
	if err != nil {
		return err
	}
	for _, member := range []string{"architecture", "os"} {
		if _, err := platform.text(member); err != nil {
			return err
		}
	}
	return nil
}

// mediaType reads a media type of the form type/subtype (RFC 6838 section 4.2); absent, null and "" are empty.
func (o object) mediaType(member string) (string, error) {
	s, err := o.text(member)
	if err != nil || s == "" {
		return "", err
	}
	if !validMediaType(s) {
		return "", mismatch("%s %s is not a media type: expected type/subtype", o.name(member), quote(s))
	}
	return s, nil
}

func validMediaType(s string) bool {
	head, tail, found := strings.Cut(s, "/")
	return found && restrictedName(head) && restrictedName(tail)
}

// restrictedName is the rule of RFC 6838 section 4.2, whose length limit of 127 is kept.
func restrictedName(s string) bool {
	if s == "" || len(s) > 127 || !alphanumeric(s[0]) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !alphanumeric(s[i]) && !strings.ContainsRune("!#$&-^_.+", rune(s[i])) {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
