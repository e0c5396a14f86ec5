// Command gen writes docs/configuration.md and docs/config.schema.json from the table of package config. The same table
// gives the same files, byte for byte.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/longshore-registry/longshore/internal/config"
)

func main() {
	out := flag.String("out", "../../docs", "folder of the two files")
	intro := flag.String("intro", "gen/intro.md", "text before the table")
	flag.Parse()
	if err := run(*out, *intro); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(out, introFile string) error {
	files, err := generate(introFile)
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(out, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate gives the contents of the files by their names.
func generate(introFile string) (map[string][]byte, error) {
	intro, err := os.ReadFile(introFile)
	if err != nil {
		return nil, err
	}
	schema, err := config.JSONSchema()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"configuration.md":   markdown(string(intro), config.Chapters()),
		"config.schema.json": schema,
	}, nil
}
