package config

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/longshore-registry/longshore/internal/config/document"
)

// Names of the environment that Load asks for.
const (
	envDir              = "QUAYCONF"
	envOverride         = "QUAY_OVERRIDE_CONFIG"
	envPreference       = "QUAY_DISTRIBUTED_STORAGE_PREFERENCE"
	envIgnoreValidation = "IGNORE_VALIDATION"
	envDebugLog         = "DEBUGLOG"
)

// Source says where a configuration comes from.
type Source struct {
	// Path is a config.yaml or the folder of one. Empty, it is $QUAYCONF/stack where the environment has QUAYCONF, and
	// no file at all otherwise.
	Path string
	// Lookup asks the environment, as os.LookupEnv does; nil is an empty environment.
	Lookup func(name string) (value string, ok bool)
}

// Default is the configuration without any file and environment.
func Default() *Config {
	c, _ := Load(Source{})
	return c
}

// Load reads the configuration and judges it. The Report is never nil. When the Report is not OK, the Config holds
// what could be read and must not be started with.
func Load(s Source) (*Config, *Report) {
	l := newLoader(s.Lookup)
	if fields, ok := l.read(s.Path); ok {
		l.run(fields)
	}
	l.report.sort()
	return l.config, l.report
}

// loader is one run of Load.
type loader struct {
	table    table
	config   *Config
	report   *Report
	lookup   func(string) (string, bool)
	lenient  bool               // contradictions are warnings
	settings map[string]setting // what is set, by the name of its row, or by its own name where the row is a pattern
	order    []string           // the keys of settings, in the order of the files
	found    map[string]bool    // rows that a refusal or warning was given for
	bad      map[string]bool    // rows whose value cannot be used
	strange  []string           // what is set and in no row
}

// setting is a key with the value it was given.
type setting struct {
	row   Key
	name  string // as written
	file  string
	line  int
	value *document.Node
}

// sourced is a field with the file it stands in.
type sourced struct {
	document.Field
	file string
}

// newLoader makes a loader whose Config holds the defaults.
func newLoader(lookup func(string) (string, bool)) *loader {
	l := &loader{
		table: newTable(), config: &Config{}, report: &Report{}, lookup: lookup,
		settings: map[string]setting{}, found: map[string]bool{}, bad: map[string]bool{},
	}
	if l.lookup == nil {
		l.lookup = func(string) (string, bool) { return "", false }
	}
	l.lenient = l.env(envIgnoreValidation) != ""
	l.defaults()
	return l
}

// run judges the fields of a document and puts them into the Config.
func (l *loader) run(fields []sourced) {
	l.take("", fields)
	l.preferenceFromEnvironment()
	l.apply()
	l.judge()
	l.finish()
}

func (l *loader) env(name string) string {
	value, _ := l.lookup(name)
	return value
}

// defaults gives each field of the Config its key's default.
func (l *loader) defaults() {
	for _, row := range l.table.rows {
		if n, ok := l.table.defaults[row.Name]; ok && row.bind != nil {
			row.bind(l.config, newReader(row.typ), n)
		}
	}
}

// read gives the fields of the file with those of the environment over them; false when that is impossible.
func (l *loader) read(path string) ([]sourced, bool) {
	if path == "" {
		if dir := l.env(envDir); dir != "" {
			path = filepath.Join(dir, "stack")
		}
	}
	fields, ok := l.readFile(path)
	text, set := l.lookup(envOverride)
	if !set || strings.TrimSpace(text) == "" {
		return fields, ok
	}
	root, problems := document.ParseJSON([]byte(text))
	over, good := l.document(envOverride, root, problems)
	if !ok || !good {
		return nil, false
	}
	return merge(fields, over), true
}

func (l *loader) readFile(path string) ([]sourced, bool) {
	if path == "" {
		return nil, true
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "config.yaml")
	}
	l.config.Bundle, l.config.TLS = withTLS(l.config.TLS, filepath.Dir(path))
	data, err := readAtMost(path, document.MaxBytes+1)
	if err != nil {
		l.report.Files = append(l.report.Files, path)
		l.report.Errors = append(l.report.Errors, Finding{File: path, Text: "cannot be read: " + reason(err)})
		return nil, false
	}
	root, problems := document.Parse(data)
	return l.document(path, root, problems)
}

func withTLS(t TLS, dir string) (Bundle, TLS) {
	bundle, files := findBundle(dir)
	t.CertFile, t.KeyFile = files.CertFile, files.KeyFile
	return bundle, t
}

func readAtMost(path string, n int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, n))
}

// reason is an error of the file system without the path, which the finding names already.
func reason(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// document turns a parsed file into fields, or its problems into errors.
func (l *loader) document(file string, root *document.Node, problems []document.Problem) ([]sourced, bool) {
	l.report.Files = append(l.report.Files, file)
	for _, p := range problems {
		l.report.Errors = append(l.report.Errors, Finding{File: file, Line: p.Line, Text: p.Text})
	}
	if len(problems) > 0 {
		return nil, false
	}
	if root.Shape != document.Map {
		l.report.Errors = append(l.report.Errors, Finding{File: file, Line: root.Line, Text: "found " + root.Kind() + "; allowed: a map of keys to values"})
		return nil, false
	}
	fields := make([]sourced, 0, len(root.Fields))
	for _, f := range root.Fields {
		fields = append(fields, sourced{f, file})
	}
	return fields, true
}

// merge puts fields over others; a whole value replaces a whole value, as in Quay.
func merge(fields, over []sourced) []sourced {
	replaced := map[string]bool{}
	for _, f := range over {
		replaced[f.Name] = true
	}
	var merged []sourced
	for _, f := range fields {
		if !replaced[f.Name] {
			merged = append(merged, f)
		}
	}
	return append(merged, over...)
}
