package houserules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/longshore-registry/longshore"

// ranks orders the rooms of internal/: a package imports only rooms of lower rank, or its own.
var ranks = map[string]int{
	"problem": 0, "digest": 0, "secret": 0, "fault": 0,
	"mail": 1, "outbound": 1,
	"db": 1, "config": 1, "jobs": 1,
	"identity": 2,
	"tally":    2,
	"content":  3, "access": 3,
	"registry": 4,
	"mirror":   5, "proxy": 5, "scan": 5, "lifecycle": 5, "quota": 5, "replicate": 5, "build": 5, "importer": 5,
	"overview": 5, "oauth": 5, "signing": 5, "notify": 5, "audit": 5,
	"server":     6,
	"app":        7,
	"houserules": 9,
}

// importers says which room alone may import an SDK, by import path prefix.
var importers = map[string]string{
	"modernc.org/sqlite":                  "internal/db",
	"github.com/jackc/pgx/v5":             "internal/db",
	"github.com/pressly/goose/v3":         "internal/db",
	"github.com/go-jose/go-jose/v4":       "internal/identity",
	"github.com/pion/dtls/v3":             "internal/identity",
	"golang.org/x/crypto/bcrypt":          "internal/identity",
	"github.com/danielgtaylor/huma/v2":    "internal/server/rest",
	"github.com/prometheus/client_golang": "internal/server",
	"go.yaml.in/yaml/v4":                  "internal/config",
	"github.com/alecthomas/kong":          "internal/app",
	"net/http/pprof":                      "internal/server",
	"github.com/wneessen/go-mail":         "internal/mail",
	"github.com/coreos/go-oidc/v3":        "internal/identity",
}

type source struct {
	path string // slash-separated, relative to the module
	test bool
	file *ast.File
	fset *token.FileSet
}

func (s source) dir() string { return path.Dir(s.path) }

func sources(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	var all []source
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			_, otherModule := os.Stat(filepath.Join(name, "go.mod"))
			if strings.HasPrefix(d.Name(), ".") && rel != "." || d.Name() == "testdata" || d.Name() == "node_modules" || rel != "." && otherModule == nil {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		all = append(all, source{path: rel, test: strings.HasSuffix(rel, "_test.go"), file: file, fset: fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("only %d Go files found: the walk is broken", len(all))
	}
	return all
}

func imports(s source) []string {
	var paths []string
	for _, i := range s.file.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		paths = append(paths, p)
	}
	return paths
}

// room is the folder under internal/ that a package belongs to.
func room(importPath string) (string, bool) {
	rest, ok := strings.CutPrefix(importPath, module+"/internal/")
	if !ok {
		return "", false
	}
	first, _, _ := strings.Cut(rest, "/")
	return first, true
}

func TestImportsPointDownwards(t *testing.T) {
	for _, s := range sources(t) {
		from, ok := room(module + "/" + s.dir())
		if !ok || s.test {
			continue
		}
		rank, known := ranks[from]
		if !known {
			t.Errorf("%s: internal/%s has no rank: add it to the table and to docs/architecture.md", s.path, from)
			continue
		}
		for _, p := range imports(s) {
			to, ok := room(p)
			if !ok || to == from {
				continue
			}
			if ranks[to] >= rank {
				t.Errorf("%s imports internal/%s, which is not below internal/%s", s.path, to, from)
			}
		}
	}
}

func TestDomainPackagesDoNotKnowHTTP(t *testing.T) {
	for _, s := range sources(t) {
		from, ok := room(module + "/" + s.dir())
		calls := from == "outbound" || strings.HasPrefix(s.dir(), "internal/identity/federated") // these ask others, and answer nobody
		if !ok || s.test || calls || ranks[from] >= ranks["mirror"] {
			continue
		}
		for _, p := range imports(s) {
			if p == "net/http" {
				t.Errorf("%s imports net/http: HTTP belongs to internal/server", s.path)
			}
		}
	}
}

func TestEachSDKHasOneImporter(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, p := range imports(s) {
			for sdk, owner := range importers {
				inside := s.dir() == owner || strings.HasPrefix(s.dir(), owner+"/")
				if (p == sdk || strings.HasPrefix(p, sdk+"/")) && !inside && !strings.HasPrefix(s.dir(), "test/") && !strings.HasPrefix(s.dir(), "bench/") {
					t.Errorf("%s imports %s: only %s does", s.path, p, owner)
				}
			}
		}
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	comments := map[string]string{}
	for _, s := range sources(t) {
		if s.test && comments[s.dir()] == "" {
			comments[s.dir()] += ""
			continue
		}
		if s.file.Doc != nil {
			comments[s.dir()] = s.file.Doc.Text()
		} else if _, seen := comments[s.dir()]; !seen {
			comments[s.dir()] = ""
		}
	}
	for dir, text := range comments {
		if len(text) < 40 {
			t.Errorf("%s has no package comment that says what it promises", dir)
		}
	}
}

func TestNoInitFunctions(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init function", s.path)
			}
		}
	}
}

// TestNoMutablePackageVariables refuses package variables that are assigned to, indexed into on the left, or whose
// address is taken, and those whose type exists to be changed.
func TestNoMutablePackageVariables(t *testing.T) {
	vars := map[string]map[string]bool{} // folder → names
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				v := spec.(*ast.ValueSpec)
				if changing(v.Type) {
					t.Errorf("%s: package variable %s holds mutable state", s.path, v.Names[0])
				}
				for _, n := range v.Names {
					if vars[s.dir()] == nil {
						vars[s.dir()] = map[string]bool{}
					}
					vars[s.dir()][n.Name] = true
				}
			}
		}
	}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		names := vars[s.dir()]
		ast.Inspect(s.file, func(n ast.Node) bool {
			for _, target := range targets(n) {
				if id := root(target); id != nil && id.Name != "_" && names[id.Name] && packageLevel(s.file, id) {
					t.Errorf("%s: package variable %s is changed", s.fset.Position(id.Pos()), id.Name)
				}
			}
			return true
		})
	}
}

// changing reports whether a variable of the type exists to be changed.
func changing(t ast.Expr) bool {
	sel, ok := t.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, _ := sel.X.(*ast.Ident)
	return pkg != nil && (pkg.Name == "sync" || pkg.Name == "atomic")
}

func targets(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok == token.DEFINE {
			return nil
		}
		return n.Lhs
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			if _, literal := n.X.(*ast.CompositeLit); !literal {
				return []ast.Expr{n.X}
			}
		}
	}
	return nil
}

func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// packageLevel tells a package variable from a local one of the same name, by the parser's own resolution: a name it
// could not resolve inside the file is declared in another file of the package.
func packageLevel(file *ast.File, id *ast.Ident) bool {
	return id.Obj == nil || file.Scope.Lookup(id.Name) == id.Obj
}

// TestTimesAreUTC forbids the machine's time zone: months of the action log, dates of the API and retention are in UTC,
// and two replicas need not have the same zone.
func TestTimesAreUTC(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if x, ok := n.(*ast.SelectorExpr); ok && x.Sel.Name == "Local" {
				t.Errorf("%s uses the machine's time zone (.Local): times are in UTC", s.fset.Position(x.Pos()))
			}
			return true
		})
	}
}
