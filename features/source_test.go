package features_test

import (
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// module is the path of the module; root is where it lies, seen from this folder.
const (
	module = "tokenwright"
	root   = ".."
)

// source is one Go file of the module, whatever its build tags and system.
type source struct {
	path string // slashes, from the root of the module
	dir  string
	test bool
	ast  *ast.File
	// tags is the build constraint, nil without one.
	tags constraint.Expr
}

// reference is one import of a file. What is inside the module has no module path in front.
type reference struct {
	file   *source
	target string
	line   int
}

// sources parses every file once. Folders that the go command ignores are left out.
var sources = sync.OnceValues(func() ([]*source, *token.FileSet) {
	fset := token.NewFileSet()
	var all []*source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := d.Name(); {
		case d.IsDir() && p != root && (strings.HasPrefix(name, ".") ||
			strings.HasPrefix(name, "_") || name == "testdata" || name == "bin" || name == "out"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		f, err := load(fset, p)
		all = append(all, f)
		return err
	})
	if err != nil {
		panic(err)
	}
	return all, fset
})

func load(fset *token.FileSet, file string) (*source, error) {
	parsed, err := parser.ParseFile(fset, file, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	rel, err := filepath.Rel(root, file)
	if err != nil {
		return nil, err
	}
	s := &source{
		path: filepath.ToSlash(rel), test: strings.HasSuffix(file, "_test.go"), ast: parsed,
	}
	s.dir = path.Dir(s.path)
	for _, group := range parsed.Comments {
		for _, c := range group.List {
			if c.Pos() < parsed.Package && constraint.IsGoBuild(c.Text) {
				if s.tags, err = constraint.Parse(c.Text); err != nil {
					return nil, err
				}
			}
		}
	}
	return s, nil
}

func references() (all []reference) {
	files, fset := sources()
	for _, f := range files {
		for _, spec := range f.ast.Imports {
			target, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				panic(err)
			}
			all = append(all, reference{
				file: f, target: strings.TrimPrefix(target, module+"/"),
				line: fset.Position(spec.Pos()).Line,
			})
		}
	}
	return all
}

// under says whether a package is one of those, or below one of them.
func under(pkg string, parents ...string) bool {
	for _, p := range parents {
		if pkg == p || strings.HasPrefix(pkg, p+"/") {
			return true
		}
	}
	return false
}

// inside says whether an import path belongs to this module.
func inside(target string) bool {
	return under(target, "tms", "simcard", "vpcd", "features", "fixtures", "cmd", "scripts")
}

// helper says whether a package exists for tests alone, as net/http/httptest does.
func helper(pkg string) bool { return strings.HasSuffix(path.Base(pkg), "test") }

func TestSourcesAreFound(t *testing.T) {
	files, _ := sources()
	seen := map[string]bool{}
	for _, f := range files {
		seen[f.dir] = true
	}
	for _, want := range []string{"features", "vpcd", "tms/gp/apdu", "simcard", "tms/esc/pcsc"} {
		require.True(t, seen[want], "no Go file found in %s: these tests would check nothing", want)
	}
	_, err := os.Stat(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
}
