package manifest

import (
	"encoding/json"
	"strings"
)

// ConfigLabels reads the labels of an image's config (image-spec v1.1.1, config.md: config.Labels). A config that
// cannot be read has none: what is in it is between those who pushed and those who pull.
func ConfigLabels(config []byte) map[string]string {
	var c struct {
		Config struct {
			Labels map[string]string `json:"Labels"`
		} `json:"config"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil
	}
	return c.Config.Labels
}

// Annotations reads the annotations of a stored document, which may be one that today's rules would refuse.
func Annotations(b []byte) map[string]string {
	var d map[string]json.RawMessage
	var annotations map[string]string
	if json.Unmarshal(b, &d) != nil || json.Unmarshal(d["annotations"], &annotations) != nil {
		return nil
	}
	return annotations
}

// LabelType is the media type under which a label's value is kept: JSON when it is a JSON object or array.
func LabelType(value string) string {
	trimmed := strings.TrimSpace(value)
	if trimmed != "" && (trimmed[0] == '{' || trimmed[0] == '[') && json.Valid([]byte(trimmed)) {
		return "application/json"
	}
	return "text/plain"
}
