package main

import (
	"fmt"
	"strings"

	"github.com/longshore-registry/longshore/internal/config"
)

// markdown is the page for people: the introduction and a table for each chapter.
func markdown(intro string, chapters []config.Chapter) []byte {
	var b strings.Builder
	b.WriteString(intro)
	counts := map[config.Kind]int{}
	total := 0
	for _, c := range chapters {
		for _, k := range c.Keys {
			counts[k.Kind]++
			total++
		}
	}
	fmt.Fprintf(&b, "\nOf %d rows %d are used, %d accepted, %d obsolete, %d refuse and %d warn.\n",
		total, counts[config.Used], counts[config.Accepted], counts[config.Obsolete], counts[config.Refuses], counts[config.Warns])
	for _, c := range chapters {
		fmt.Fprintf(&b, "\n## %s\n\n| Key | Type | Default | Kind | Meaning |\n|---|---|---|---|---|\n", c.Title)
		for _, k := range c.Keys {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.Name, cell(k.TypeName()), defaultCell(k), k.Kind, cell(k.Meaning()))
		}
	}
	return []byte(b.String())
}

func defaultCell(k config.Key) string {
	if k.Default == "" {
		return "–"
	}
	return "`" + cell(k.Default) + "`"
}

// cell keeps a text inside its cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
