package manifest

import (
	"encoding/json"
	"time"

	"github.com/longshore-registry/longshore/internal/digest"
)

// Step is a step of an image's making: a layer, or a change of the config alone.
type Step struct {
	Layer   *Descriptor // nil for a step that made none
	Command []string    // nil when not known
	Comment string
	Author  string
	Created time.Time // zero when not known
}

// EmptyLayer is what Docker shows for a step that made no layer: an empty archive, compressed.
func EmptyLayer() Descriptor {
	d, err := digest.Parse("sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4")
	if err != nil {
		panic(err) // the text is a constant, and a digest
	}
	return Descriptor{Digest: d, Size: 32}
}

// historyEntry is image-spec v1.1.1, config.md: history. Encoders write what they like into the optional members, so
// each is read by itself.
type historyEntry struct {
	Created   json.RawMessage `json:"created"`
	CreatedBy json.RawMessage `json:"created_by"`
	Author    json.RawMessage `json:"author"`
	Comment   json.RawMessage `json:"comment"`
	Empty     json.RawMessage `json:"empty_layer"`
}

// Steps tells from its config how an image was made, the first step first. Without a history that fits the layers it
// tells the layers.
func Steps(layers []Descriptor, config []byte) []Step {
	var c struct {
		History []historyEntry `json:"history"`
	}
	if json.Unmarshal(config, &c) != nil || !fits(c.History, len(layers)) {
		c.History = nil
	}
	if c.History == nil {
		steps := make([]Step, len(layers))
		for i := range layers {
			steps[i].Layer = &layers[i]
		}
		return steps
	}
	steps := make([]Step, len(c.History))
	for i, e := range c.History {
		s := Step{Command: command(member[string](e.CreatedBy)), Comment: member[string](e.Comment), Author: member[string](e.Author)}
		s.Created = member[time.Time](e.Created)
		if !member[bool](e.Empty) {
			s.Layer, layers = &layers[0], layers[1:]
		}
		steps[i] = s
	}
	return steps
}

func fits(history []historyEntry, layers int) bool {
	for _, e := range history {
		if !member[bool](e.Empty) {
			layers--
		}
	}
	return layers == 0
}

// member reads a value of a type; anything else is as if it were absent.
func member[T any](raw json.RawMessage) (value T) {
	if json.Unmarshal(raw, &value) != nil {
		var none T
		return none
	}
	return value
}

// command brings what made a layer into words: some builders write a list of words as JSON.
func command(text string) []string {
	if text == "" {
		return nil
	}
	if words := member[[]string](json.RawMessage(text)); len(words) > 0 {
		return words
	}
	return []string{text}
}
