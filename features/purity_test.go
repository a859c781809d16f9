package features_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"io"
	"os"
	"os/exec"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The card language does no input or output, reads no clock, draws no randomness of its own and
// logs nothing; what it needs of these is passed in.
var (
	pure       = []string{"tms/gp", "tms/coolkey"}
	impureness = map[string]string{
		"bufio": "does I/O", "os": "does I/O", "net": "does I/O", "net/http": "does I/O",
		"io/ioutil": "does I/O", "os/exec": "does I/O", "path/filepath": "does I/O",
		"syscall": "does I/O", "database/sql": "does I/O", "embed": "does I/O",
		"time": "reads the clock", "log": "logs",
		"crypto/rand": "draws randomness of its own", "math/rand": "draws randomness of its own",
		"math/rand/v2": "draws randomness of its own",
	}
	// impureCalls are functions that do it where the package as a whole is welcome.
	impureCalls = map[string]string{"fmt.Print": "does I/O", "fmt.Scan": "does I/O"}
	// redaction is what a secret needs of log/slog in order not to be logged.
	redaction = map[string]bool{"LogValuer": true, "Value": true, "StringValue": true}
)

func TestCardLanguageIsPure(t *testing.T) {
	for _, r := range references() {
		if r.file.test || !under(r.file.dir, pure...) {
			continue
		}
		if why := impureness[r.target]; why != "" {
			t.Errorf("%s:%d imports %s, which %s: pass it in", r.file.path, r.line, r.target, why)
		}
	}
	files, fset := sources()
	for _, f := range files {
		if f.test || !under(f.dir, pure...) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if why := impureUse(n); why != "" {
				t.Errorf("%s:%d %s", f.path, fset.Position(n.Pos()).Line, why)
			}
			return true
		})
	}
}

// impureUse says what is wrong with one expression, if anything.
func impureUse(n ast.Node) string {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	pkg, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	call := pkg.Name + "." + sel.Sel.Name
	for prefix, why := range impureCalls {
		if strings.HasPrefix(call, prefix) {
			return call + " " + why
		}
	}
	if pkg.Name == "slog" && !redaction[sel.Sel.Name] {
		return call + " logs; only what keeps a secret out of a log is used here"
	}
	return ""
}

func TestImpureUse(t *testing.T) {
	selector := func(pkg, name string) ast.Node {
		return &ast.SelectorExpr{X: ast.NewIdent(pkg), Sel: ast.NewIdent(name)}
	}
	for _, bad := range []ast.Node{
		selector("fmt", "Println"), selector("fmt", "Scanln"), selector("slog", "Info"),
	} {
		assert.NotEmpty(t, impureUse(bad))
	}
	for _, good := range []ast.Node{
		selector("fmt", "Sprintf"), selector("slog", "StringValue"), selector("apdu", "Parse"),
	} {
		assert.Empty(t, impureUse(good))
	}
}

// Every package says what it owns: a comment in front of one of its package clauses.
func TestPackageComments(t *testing.T) {
	files, _ := sources()
	named, commented := map[string]string{}, map[string]bool{}
	for _, f := range files {
		if f.test {
			continue
		}
		named[f.dir] = f.ast.Name.Name
		want := "Package " + f.ast.Name.Name + " "
		if f.ast.Name.Name == "main" {
			want = "Command " + path.Base(f.dir) + " "
		}
		if strings.HasPrefix(f.ast.Doc.Text(), want) {
			commented[f.dir] = true
		}
	}
	for dir, name := range named {
		if name == "main" {
			assert.True(t, commented[dir], `%s: no comment "Command %s ..."`, dir, path.Base(dir))
			continue
		}
		assert.True(t, commented[dir], `%s: no comment "Package %s ..."`, dir, name)
	}
}

func TestTopLevel(t *testing.T) {
	allowed := map[string]bool{
		"tms": true, "simcard": true, "vpcd": true, "features": true, "fixtures": true, "cmd": true,
		"scripts": true, "Makefile": true, "go.mod": true, "go.sum": true, "README.md": true,
		"LICENSE": true,
		"bin":     true, "out": true, // what make makes; git ignores both
	}
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !allowed[e.Name()] {
			t.Errorf("%s does not belong at the top level: find it a room", e.Name())
		}
	}
}

// built is what the go command tells of a package.
type built struct {
	ImportPath string
	Standard   bool
	CgoFiles   []string
}

// list asks the go command for everything that the packages link, with those tags.
func list(t *testing.T, tags string, packages ...string) (all []built) {
	t.Helper()
	args := append([]string{
		"list", "-deps", "-tags", tags, "-json=ImportPath,Standard,CgoFiles",
	}, packages...)
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "GOOS=linux")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p built
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			require.NotEmpty(t, all)
			return all
		default:
			require.NoError(t, err)
			all = append(all, p)
		}
	}
}

// Without tags nothing of ours needs a C compiler; with them the adopted libraries do, and no more.
func TestCgoStandsBehindTags(t *testing.T) {
	homes := func(tags string) (found []string) {
		for _, p := range list(t, tags, "./...") {
			if !p.Standard && len(p.CgoFiles) > 0 {
				found = append(found, p.ImportPath)
			}
		}
		return found
	}
	assert.Empty(t, homes(""), "these need cgo in a plain go build ./...")
	for _, p := range homes("pcsc,pkcs11") {
		assert.Contains(t, cgoModules, p, "this needs cgo with the tags on")
	}
	assert.Contains(t, homes("pcsc"), "github.com/ebfe/scard", "the tag pcsc turns PC/SC on")
}

// What an operator deploys links no simulator, no fixture secret and no development directory,
// not even through something else.
func TestOperatorsBinaries(t *testing.T) {
	forbidden := []string{
		module + "/simcard", module + "/features", module + "/fixtures", "github.com/glauth",
		"github.com/cucumber", "github.com/stretchr", "testing",
	}
	for _, command := range []string{"cmd/tms", "cmd/esc", "cmd/tkstool"} {
		if _, err := os.Stat(path.Join(root, command)); errors.Is(err, os.ErrNotExist) {
			continue
		}
		for _, p := range list(t, "", "./"+command) {
			assert.False(t, under(p.ImportPath, forbidden...), "%s links %s", command, p.ImportPath)
		}
	}
}
