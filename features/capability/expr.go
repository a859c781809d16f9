package capability

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// ErrExpression is given for an expression that cannot be read.
var ErrExpression = errors.New("expression of applicability")

// Always is the expression of cases that apply to every card.
const Always = "always"

// maxExpression bounds an expression in bytes.
const maxExpression = 500

// Check says whether an expression can be read and asks for known facts alone.
func Check(expr string) error {
	_, err := Eval(expr, nil)
	return err
}

// Eval says whether an expression holds for a card. It reads names of facts, the comparisons
// == != < <= > >= with a number or a word, "and", "or", "not" and parentheses; "always" is true. A
// name alone holds when its value is neither "false" nor 0.
func Eval(expr string, s Set) (bool, error) {
	if len(expr) > maxExpression {
		return false, fmt.Errorf("%w of %d bytes", ErrExpression, len(expr))
	}
	p := parser{tokens: tokens(expr), set: s}
	v := p.or()
	if p.err == nil && p.at < len(p.tokens) {
		p.fail("unexpected %q", p.tokens[p.at])
	}
	if p.err != nil {
		return false, fmt.Errorf("%w %q: %w", ErrExpression, expr, p.err)
	}
	return v, nil
}

// Restrict gives those of the facts that an expression asks for.
func Restrict(expr string, s Set) Set {
	var out Set
	for _, t := range tokens(expr) {
		if v, ok := s[t]; ok {
			if out == nil {
				out = Set{}
			}
			out[t] = v
		}
	}
	return out
}

// tokens splits into words, numbers and operators.
func tokens(s string) []string {
	var out []string
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }
	for i := 0; i < len(s); {
		c := rune(s[i])
		j := i + 1
		switch {
		case c == ' ':
			i++
			continue
		case word(c):
			for j < len(s) && word(rune(s[j])) {
				j++
			}
		case strings.ContainsRune("=!<>", c) && j < len(s) && s[j] == '=':
			j++
		}
		out = append(out, s[i:j])
		i = j
	}
	return out
}

type parser struct {
	tokens []string
	at     int
	set    Set
	err    error
	depth  int
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *parser) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return ""
}

func (p *parser) next() string {
	t := p.peek()
	p.at++
	return t
}

func (p *parser) or() bool {
	v := p.and()
	for p.err == nil && p.peek() == "or" {
		p.at++
		w := p.and()
		v = v || w
	}
	return v
}

func (p *parser) and() bool {
	v := p.term()
	for p.err == nil && p.peek() == "and" {
		p.at++
		w := p.term()
		v = v && w
	}
	return v
}

const maxDepth = 20

func (p *parser) term() bool {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		p.fail("nested too deep")
	}
	if p.err != nil {
		return false
	}
	switch t := p.next(); t {
	case "not":
		return !p.term()
	case "(":
		v := p.or()
		if p.next() != ")" {
			p.fail("a parenthesis is not closed")
		}
		return v
	case Always:
		return true
	default:
		return p.fact(t)
	}
}

func (p *parser) fact(name string) bool {
	if _, ok := Known[name]; !ok {
		p.fail("unknown fact %q", name)
		return false
	}
	have := p.set[name]
	switch op := p.peek(); op {
	case "==", "!=", "<", "<=", ">", ">=":
		p.at++
		return p.compare(have, op, p.next())
	}
	return have != "" && have != "false" && have != "0"
}

func (p *parser) compare(have, op, want string) bool {
	if want == "" {
		p.fail("nothing behind %s", op)
		return false
	}
	if n, err := strconv.Atoi(want); err == nil {
		h, _ := strconv.Atoi(have)
		return map[string]bool{
			"==": h == n, "!=": h != n, "<": h < n, "<=": h <= n, ">": h > n, ">=": h >= n,
		}[op]
	}
	switch op {
	case "==":
		return have == want
	case "!=":
		return have != want
	}
	p.fail("%s needs a number, not %q", op, want)
	return false
}
