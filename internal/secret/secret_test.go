package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/secret"
)

const value = "correct horse"

type holder struct {
	Name   string
	Key    secret.String
	hidden secret.String
}

func TestASecretIsNeverPrinted(t *testing.T) {
	s := secret.New(value)
	h := holder{Name: "n", Key: s, hidden: s}
	var text, structured bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "key", s, "holder", h)
	slog.New(slog.NewJSONHandler(&structured, nil)).Info("m", "key", s, "holder", h)
	encoded, err := json.Marshal(map[string]any{"key": s, "holder": h})
	if err != nil {
		t.Fatal(err)
	}
	outputs := map[string]string{"slog text": text.String(), "slog JSON": structured.String(), "JSON": string(encoded)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		outputs[verb+" of the value"] = fmt.Sprintf(verb, s)
		outputs[verb+" of a structure"] = fmt.Sprintf(verb, h)
		outputs[verb+" of a pointer"] = fmt.Sprintf(verb, &h)
		outputs[verb+" of a list"] = fmt.Sprintf(verb, []any{s, h})
	}
	for name, output := range outputs {
		for _, form := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value), fmt.Sprint([]byte(value))} {
			if strings.Contains(output, form) {
				t.Errorf("%s shows the secret: %s", name, output)
			}
		}
	}
	if got := fmt.Sprint(s); got != secret.Redacted {
		t.Errorf("a secret prints as %q, want %q", got, secret.Redacted)
	}
}

func TestOnlyRevealGivesTheValue(t *testing.T) {
	if got := secret.New(value).Reveal(); got != value {
		t.Errorf("Reveal() = %q", got)
	}
}

func TestAnEmptySecretIsUnset(t *testing.T) {
	for name, s := range map[string]secret.String{"zero": {}, "of the empty text": secret.New("")} {
		if s.IsSet() || s.Reveal() != "" || s.String() != "" {
			t.Errorf("%s: set %v, value %q, printed %q", name, s.IsSet(), s.Reveal(), s.String())
		}
	}
	if !secret.New("x").IsSet() {
		t.Error("a secret with a value is not set")
	}
}

func TestEqualComparesValues(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"a", "a", true}, {"a", "b", false}, {"a", "aa", false}, {"", "", true}, {"", "a", false}} {
		if got := secret.New(c.a).Equal(secret.New(c.b)); got != c.want {
			t.Errorf("Equal(%q, %q) = %v", c.a, c.b, got)
		}
	}
}
