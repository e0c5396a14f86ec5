package document

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestScalarsAreReadAsPyYAMLDoes(t *testing.T) {
	const secretKey = "30060361640793187613697366923211113205676925445650250274752125083971638376224"
	for _, c := range []struct {
		yaml  string
		shape Shape
		text  string
	}{
		{"yes", Bool, "true"}, {"No", Bool, "false"}, {"ON", Bool, "true"}, {"off", Bool, "false"}, {"True", Bool, "true"},
		{"y", Text, "y"}, {"n", Text, "n"}, {"tRUE", Text, "tRUE"}, {`"yes"`, Text, "yes"}, {"'off'", Text, "off"},
		{"", Null, ""}, {"~", Null, ""}, {"null", Null, ""}, {"NULL", Null, ""}, {`""`, Text, ""}, {`"null"`, Text, "null"},
		{secretKey, Int, secretKey}, {"'" + secretKey + "'", Text, secretKey}, {"-5", Int, "-5"}, {"+5", Int, "5"}, {"0", Int, "0"}, {"-0", Int, "0"},
		{"1_000", Int, "1000"}, {"017", Int, "15"}, {"0o17", Text, "0o17"}, {"019", Text, "019"}, {"0x1F", Int, "31"}, {"-0x1f", Int, "-31"},
		{"0b101", Int, "5"}, {"1:30", Int, "90"}, {"1:30:00", Int, "5400"}, {"5:99", Text, "5:99"}, {"0b_", Text, "0b_"},
		{"1.5", Float, "1.5"}, {"1e3", Text, "1e3"}, {"1.e+3", Float, "1.e+3"}, {".inf", Float, ".inf"}, {"12ab34", Text, "12ab34"},
		{"1e400", Text, "1e400"}, {"2021-09-30", Text, "2021-09-30"}, {"10m", Text, "10m"}, {"localhost:5000", Text, "localhost:5000"},
		{"!!str yes", Text, "yes"}, {"!!str 017", Text, "017"}, {"!!int 7", Int, "7"}, {"|-\n    yes", Text, "yes"},
	} {
		t.Run(c.yaml, func(t *testing.T) {
			root, problems := Parse([]byte("KEY: " + c.yaml + "\n"))
			if problems != nil {
				t.Fatal(problems)
			}
			got := root.Get("KEY")
			if got.Shape != c.shape || got.Text != c.text {
				t.Errorf("got shape %d, text %q, want %d, %q", got.Shape, got.Text, c.shape, c.text)
			}
		})
	}
}

func TestLinesAreThoseOfTheFile(t *testing.T) {
	const yamlText = "# comment\nA: 1\n\nB:\n  - x\n  - y: 2\n    z: [3,\n      4]\n"
	const jsonText = "{\n  \"A\": 1,\n\n  \"B\": [\"x\", {\n    \"y\": 2,\n\"z\":\n[3, 4]}]\n}\n"
	for name, c := range map[string]struct{ text, want string }{
		"YAML": {yamlText, "A@2=1 B@5[x@5 @6{y@6=2 z@7[3@7 4@8]}]"},
		"JSON": {jsonText, "A@2=1 B@4[x@4 @4{y@5=2 z@7[3@7 4@7]}]"},
	} {
		t.Run(name, func(t *testing.T) {
			root, problems := Parse([]byte(c.text))
			if problems != nil {
				t.Fatal(problems)
			}
			if diff := cmp.Diff(c.want, outline(root)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// outline writes a tree on one line.
func outline(n *Node) string {
	var parts []string
	switch n.Shape {
	case Map:
		for _, f := range n.Fields {
			switch f.Value.Shape {
			case Map, List:
				parts = append(parts, fmt.Sprintf("%s@%d%s", f.Name, f.Value.Line, outline(f.Value)))
			default:
				parts = append(parts, fmt.Sprintf("%s@%d=%s", f.Name, f.Line, f.Value.Text))
			}
		}
		return strings.Join(parts, " ")
	case List:
		for _, item := range n.Items {
			switch item.Shape {
			case Map:
				parts = append(parts, fmt.Sprintf("@%d{%s}", item.Line, outline(item)))
			default:
				parts = append(parts, fmt.Sprintf("%s@%d", item.Text, item.Line))
			}
		}
		return "[" + strings.Join(parts, " ") + "]"
	}
	return n.Text
}

func TestProblemsNameTheirLine(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		line int
		want string
	}{
		"a tab as indentation":         {"A:\n\tB: 1\n", 2, "a tab where YAML wants blanks"},
		"a key given twice":            {"A: 1\nB: 2\nA: null\n", 3, "key A is given twice; it was given on line 1 already"},
		"a nested key given twice":     {"A:\n  x: 1\n  x: 2\n", 3, "key x is given twice"},
		"a JSON key given twice":       {"{\"A\": 1,\n\"A\": 2}", 2, "key A is given twice"},
		"two documents":                {"A: 1\n---\nB: 2\n", 2, "a second document starts here"},
		"an open bracket":              {"A: [1, 2\nB: 3\n", 2, "not readable as YAML"},
		"two colons":                   {"A: 1\nB: c: d\n", 2, "mapping values are not allowed"},
		"a list as key":                {"? [a]\n: 1\n", 1, "a key that is not a word"},
		"an unknown tag":               {"A: !!python/name:os.system x\n", 1, "tag"},
		"a value against its tag":      {"A: !!int x\n", 1, "does not fit its tag"},
		"an alias in itself":           {"A: &a [*a]\n", 1, "nested deeper than 64 levels"},
		"a merge of a text":            {"A:\n  <<: x\n", 2, "<< needs a map"},
		"a control character":          {"A: \x01\n", 0, "control characters"},
		"an unknown anchor":            {"A: *x\n", 1, "unknown anchor"},
		"aliases that multiply":        {bomb(), 0, "100000 values"},
		"lists nested a thousand deep": {"A: " + strings.Repeat("[", 1000) + strings.Repeat("]", 1000), 1, "nested deeper than 64"},
		"JSON nested a thousand deep":  {`{"A": ` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "}", 1, "nested deeper than 64"},
		"a document that is too large": {"A: " + strings.Repeat("x", MaxBytes), 0, "1048579 bytes; at most 1048576 are allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			root, problems := Parse([]byte(c.text))
			if root != nil || len(problems) == 0 {
				t.Fatalf("accepted, problems %v", problems)
			}
			if p := problems[0]; c.line != 0 && p.Line != c.line || !strings.Contains(p.Text, c.want) {
				t.Errorf("got %+v, want line %d and %q", p, c.line, c.want)
			}
		})
	}
}

func bomb() string {
	text := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 8; i++ {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	return text
}

func TestAllDuplicatesAreReportedAtOnce(t *testing.T) {
	_, problems := Parse([]byte("A: 1\nA: 2\nB: 1\nB: 2\nB: 3\n"))
	if len(problems) != 3 {
		t.Errorf("got %v, want three problems", problems)
	}
}

func TestEmptyDocumentsAreEmptyMaps(t *testing.T) {
	for _, text := range []string{"", "\n", "# only a comment\n", "---\n", "{}", "null\n", "\ufeff"} {
		root, problems := Parse([]byte(text))
		if problems != nil || root.Shape != Map || len(root.Fields) != 0 {
			t.Errorf("%q: %+v, %v", text, root, problems)
		}
	}
}

func TestAnchorsAndMergesAreFollowed(t *testing.T) {
	root, problems := Parse([]byte("base: &b {x: 1, y: 2}\nA: *b\nB:\n  <<: *b\n  y: 3\n"))
	if problems != nil {
		t.Fatal(problems)
	}
	if diff := cmp.Diff("x@1=1 y@1=2", outline(root.Get("A"))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("y@5=3 x@1=1", outline(root.Get("B"))); diff != "" {
		t.Error(diff)
	}
}

func TestJSONIsReadByItsOwnRules(t *testing.T) {
	root, problems := Parse([]byte("{\n\t\"A\": \"\\/\\ud83d\\ude00\", \"B\": 12345678901234567890123, \"C\": 1e3, \"yes\": true, \"D\": null}"))
	if problems != nil {
		t.Fatal(problems)
	}
	if diff := cmp.Diff("A@2=/😀 B@2=12345678901234567890123 C@2=1e3 yes@2=true D@2=", outline(root)); diff != "" {
		t.Error(diff)
	}
	if got := root.Get("C").Shape; got != Float {
		t.Errorf("1e3 has shape %d, want a number with a fraction", got)
	}
}

func TestParseJSONRefusesWhatIsNotJSON(t *testing.T) {
	for _, text := range []string{"", "{", "{\"a\": 1", "{a: 1}", "{\"a\": 1} {}", "[1,]", "{\"a\": yes}"} {
		if root, problems := ParseJSON([]byte(text)); root != nil || len(problems) == 0 {
			t.Errorf("%q is accepted", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "A: 1\n", "A: yes\nB: [1, x]\n", "A:\n\tB\n", "A: &a [*a]\n", "A: {<<: {b: 1}}\n", "{\"A\": [1, {\"b\": null}]}",
		"A: 0x_\nB: 1:2:3\nC: !!int 07\n", "\xff\xfea\x00", "A: |\n  x\n--- \n", "{\"a\":1}{", "? - a\n: b\n", bomb(),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		root, problems := Parse(data)
		if (root == nil) != (len(problems) > 0) {
			t.Fatalf("root %v with problems %v", root, problems)
		}
		lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 8
		if root != nil && root.Line > lines+strings.Count(string(data), "\u2028")+strings.Count(string(data), "\u2029")+strings.Count(string(data), "\u0085") {
			t.Fatalf("line %d of %d", root.Line, lines)
		}
		_, _ = ParseJSON(data)
	})
}
