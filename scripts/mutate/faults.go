package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Kinds of faults.
const (
	kindDrop    = "dropped" // a check that refuses
	kindSwap    = "swapped" // a status word
	kindPlanted = "planted" // by hand
)

// fault is one change to one file.
type fault struct {
	kind string
	file string
	what string
	at   int // byte offset
	old  string
	new  string
}

// String says what the fault is.
func (f fault) String() string { return fmt.Sprintf("%s %s: %s", f.file, f.kind, f.what) }

// apply gives the file's text with the fault.
func (f fault) apply(text []byte) ([]byte, error) {
	if !bytes.HasPrefix(text[min(f.at, len(text)):], []byte(f.old)) {
		return nil, fmt.Errorf("%s has changed", f.file)
	}
	out := append([]byte{}, text[:f.at]...)
	out = append(out, f.new...)
	return append(out, text[f.at+len(f.old):]...), nil
}

// mechanical finds all mechanical faults of the Go files in folders, tests apart.
func mechanical(places []string) ([]fault, error) {
	var out []fault
	for _, place := range places {
		err := filepath.WalkDir(place, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			faults, err := inFile(path)
			out = append(out, faults...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func inFile(path string) ([]fault, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, 0)
	if err != nil {
		return nil, err
	}
	s := &source{set: set, path: path, text: text}
	ast.Inspect(file, s.visit)
	return s.faults, nil
}

// source is a file in which faults are looked for.
type source struct {
	set    *token.FileSet
	path   string
	text   []byte
	faults []fault
}

func (s *source) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IfStmt:
		if n.Else == nil && refuses(n.Body.List) {
			s.drop(n.Cond)
		}
	case *ast.CaseClause:
		if refuses(n.Body) {
			for _, cond := range n.List {
				s.dropCase(cond)
			}
		}
	case *ast.ReturnStmt:
		for _, r := range n.Results {
			ast.Inspect(r, s.status)
		}
	}
	return true
}

// refuses says that the statements end with a return of a status word.
func refuses(body []ast.Stmt) bool {
	if len(body) == 0 {
		return false
	}
	ret, ok := body[len(body)-1].(*ast.ReturnStmt)
	if !ok {
		return false
	}
	found := false
	for _, r := range ret.Results {
		ast.Inspect(r, func(n ast.Node) bool {
			found = found || statusWord(n) != ""
			return true
		})
	}
	return found
}

// statusWord names the status word that n is, "" if it is none that refuses.
func statusWord(n ast.Node) string {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	pkg, ok := sel.X.(*ast.Ident)
	if !ok || pkg.Name != "apdu" || !strings.HasPrefix(sel.Sel.Name, "SW") || sel.Sel.Name == "SW9000" {
		return ""
	}
	return sel.Sel.Name
}

// dropCase drops a condition of a switch without a value. In one with a value the case is a value, and
// nothing is done.
func (s *source) dropCase(cond ast.Expr) {
	switch e := cond.(type) {
	case *ast.BinaryExpr, *ast.UnaryExpr:
		s.drop(e)
	case *ast.CallExpr:
		s.drop(e)
	}
}

func (s *source) drop(cond ast.Expr) {
	old := s.of(cond)
	s.add(kindDrop, cond, old, "false && ("+old+")", old)
}

func (s *source) status(n ast.Node) bool {
	name := statusWord(n)
	if name == "" {
		return true
	}
	other := "SW6985"
	if name == other {
		other = "SW6A80"
	}
	s.add(kindSwap, n, s.of(n), "apdu."+other, name+" by "+other)
	return false
}

func (s *source) of(n ast.Node) string {
	return string(s.text[s.set.Position(n.Pos()).Offset:s.set.Position(n.End()).Offset])
}

func (s *source) add(kind string, n ast.Node, before, after, what string) {
	at := s.set.Position(n.Pos())
	s.faults = append(s.faults, fault{
		kind: kind, file: s.path, at: at.Offset, old: before, new: after,
		what: fmt.Sprintf("line %d: %s", at.Line, strings.Join(strings.Fields(what), " ")),
	})
}

// planted is a fault as the file of those planted by hand has it: Old stands once in File.
type planted struct{ File, Old, New, What string }

func readPlanted(path string) ([]fault, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []planted
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var out []fault
	for i, p := range list {
		text, err := os.ReadFile(p.File)
		if err != nil {
			return nil, err
		}
		if n := bytes.Count(text, []byte(p.Old)); n != 1 || p.Old == p.New || p.What == "" {
			return nil, fmt.Errorf("%s: fault %d (%s): its text stands %d times in %s, want once",
				path, i+1, p.What, n, p.File)
		}
		out = append(out, fault{
			kind: kindPlanted, file: p.File, what: p.What, at: bytes.Index(text, []byte(p.Old)),
			old: p.Old, new: p.New,
		})
	}
	return out, nil
}
