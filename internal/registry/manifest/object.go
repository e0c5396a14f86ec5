package manifest

import (
	"encoding/json"
	"strings"

	"github.com/longshore-registry/longshore/internal/digest"
)

// object is a JSON object whose members are found by their exact names. (A struct would not do: encoding/json
// matches the names of its fields without regard to case.)
type object struct {
	at      string // where it is, for messages: "config", "layers[2]"; empty for the document
	members map[string]json.RawMessage
}

// parseObject reads an object and refuses names that are one of known, which blanks part, but for their case.
func parseObject(at string, raw json.RawMessage, known string) (object, error) {
	o := object{at: at}
	if err := json.Unmarshal(raw, &o.members); err != nil || o.members == nil {
		return object{}, mismatch("%s is not an object", o.name(""))
	}
	for name := range o.members {
		for k := range strings.FieldsSeq(known) {
			if name != k && strings.EqualFold(name, k) {
				return object{}, malformed("the member %s of %s differs from %s only in case", quote(name), o.name(""), quote(k))
			}
		}
	}
	return o, nil
}

// name is the path of a member for messages.
func (o object) name(member string) string {
	switch {
	case o.at == "" && member == "":
		return "the document"
	case o.at == "":
		return member
	case member == "":
		return o.at
	}
	return o.at + "." + member
}

// has reports whether the member is there, be it null.
func (o object) has(member string) bool {
	_, ok := o.members[member]
	return ok
}

// set reports whether the member is there and not null.
func (o object) set(member string) bool {
	raw, ok := o.members[member]
	return ok && string(raw) != "null"
}

// text reads a string; absent and null are empty.
func (o object) text(member string) (string, error) {
	if !o.set(member) {
		return "", nil
	}
	var s string
	if err := json.Unmarshal(o.members[member], &s); err != nil {
		return "", mismatch("%s is not a string", o.name(member))
	}
	return s, nil
}

// integer reads a required whole number.
func (o object) integer(member string) (int64, error) {
	if !o.set(member) {
		return 0, mismatch("%s is missing", o.name(member))
	}
	var n int64
	if err := json.Unmarshal(o.members[member], &n); err != nil {
		return 0, mismatch("%s is not a whole number", o.name(member))
	}
	return n, nil
}

// elements reads an array; absent and null are empty.
func (o object) elements(member string, limit int) ([]json.RawMessage, error) {
	if !o.set(member) {
		return nil, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(o.members[member], &list); err != nil {
		return nil, mismatch("%s is not an array", o.name(member))
	}
	if len(list) > limit {
		return nil, tooLarge("%s has %d entries: at most %d are allowed", o.name(member), len(list), limit)
	}
	return list, nil
}

// strings reads an array of strings; absent and null are nil.
func (o object) strings(member string, limit int) ([]string, error) {
	raw, err := o.elements(member, limit)
	if err != nil || raw == nil {
		return nil, err
	}
	list := make([]string, len(raw))
	for i := range raw {
		if err := json.Unmarshal(raw[i], &list[i]); err != nil || string(raw[i]) == "null" {
			return nil, mismatch("%s is not an array of strings", o.name(member))
		}
	}
	return list, nil
}

// annotations reads an object of strings; absent and null are nil.
func (o object) annotations(l Limits) (map[string]string, error) {
	const member = "annotations"
	if !o.set(member) {
		return nil, nil
	}
	var pointers map[string]*string
	if err := json.Unmarshal(o.members[member], &pointers); err != nil {
		return nil, mismatch("%s is not an object of strings", o.name(member))
	}
	all := make(map[string]string, len(pointers))
	for key, value := range pointers {
		switch {
		case value == nil:
			return nil, mismatch("%s: %s is not a string", o.name(member), quote(key))
		case len(key) > l.AnnotationKey:
			return nil, tooLarge("%s: the key %s has %d bytes: at most %d are allowed", o.name(member), quote(key), len(key), l.AnnotationKey)
		case len(*value) > l.AnnotationValue:
			return nil, tooLarge("%s: the value of %s has %d bytes: at most %d are allowed", o.name(member), quote(key), len(*value), l.AnnotationValue)
		}
		all[key] = *value
	}
	return all, nil
}

// digest reads a required digest.
func (o object) digest(member string) (digest.Digest, error) {
	s, err := o.text(member)
	if err != nil {
		return digest.Digest{}, err
	}
	if s == "" {
		return digest.Digest{}, mismatch("%s is missing", o.name(member))
	}
	d, err := digest.Parse(s)
	if err != nil {
		return digest.Digest{}, mismatch("%s: %s", o.name(member), strings.ToValidUTF8(err.Error(), "\ufffd"))
	}
	return d, nil
}
