package distribution

import "testing"

func TestAMessageDoesNotRepeatItsCode(t *testing.T) {
	for _, row := range []struct{ code, message, want string }{
		{"MANIFEST_INVALID", "manifest invalid: no config", "no config"},
		{"MANIFEST_INVALID", "the manifest is larger than 10 bytes", "the manifest is larger than 10 bytes"},
		{"MANIFEST_UNKNOWN", "manifest unknown", "manifest unknown"},
		{"MANIFEST_BLOB_UNKNOWN", "manifest blob unknown to registry: Unknown blob", "Unknown blob"},
		{"NAME_INVALID", "manifest invalid: no config", "manifest invalid: no config"},
	} {
		if got := withoutCode(row.code, row.message); got != row.want {
			t.Errorf("%s, %q: %q, want %q", row.code, row.message, got, row.want)
		}
	}
}
