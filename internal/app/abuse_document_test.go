package app

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// abuseDocument has a section for each table of attacks: its name, then the table.
const abuseDocument = "../../docs/abuse.md"

// document holds a table of attacks to its section of the document. With LONGSHORE_WRITE_DOCS set it writes it.
func document(t *testing.T, rows []attack) {
	t.Helper()
	test, _, _ := strings.Cut(t.Name(), "/")
	content, err := os.ReadFile(abuseDocument)
	if err != nil {
		t.Fatal(err)
	}
	title := "## " + sectionOf(test) + "\n\n"
	before, section, found := strings.Cut(string(content), title)
	table, rest := section, ""
	if end := strings.Index(section, "\n\n"); end >= 0 {
		table, rest = section[:end], section[end+1:]
	}
	table, want := strings.TrimRight(table, "\n"), attackTable(rows)
	switch {
	case found && table == want:
	case os.Getenv("LONGSHORE_WRITE_DOCS") != "":
		if !found {
			before += "\n"
		}
		if err := os.WriteFile(abuseDocument, []byte(before+title+want+"\n"+rest), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s does not say what %s checks; run the test with LONGSHORE_WRITE_DOCS=1\n%s", abuseDocument, test, cmp.Diff(table, want))
	}
}

// sectionOf is what a test's section is called.
func sectionOf(test string) string {
	if test == "TestSessionsAndTokens" {
		return "Sessions and tokens"
	}
	return test
}

// attackTable writes the rows in the order of their names: some tests range over maps.
func attackTable(rows []attack) string {
	var lines []string
	for _, a := range rows {
		who, answer := a.who, fmt.Sprint(a.status)
		switch {
		case a.by != "":
			who = a.by
		case a.session != nil:
			who = "a session"
		case who == "":
			who = "nobody"
		}
		if a.code != "" && a.code != "text" {
			answer += " `" + a.code + "`"
		}
		if a.leads != "" {
			answer += " to `" + a.leads + "`"
		}
		for _, part := range a.tells {
			answer += ", `" + part + "`"
		}
		lines = append(lines, "| "+strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(a.name)+" | "+who+" | "+answer+" |")
	}
	slices.Sort(lines)
	return "| Attack | By | Answer |\n|---|---|---|\n" + strings.Join(lines, "\n")
}
