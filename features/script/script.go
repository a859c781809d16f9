// Package script binds the sentences of conformance cases to functions, once, and runs them. It takes
// the place of godog there, which binds anew for every scenario and knows passed and failed alone: a
// case costs little more than its commands, and its verdict is the judge's.
//
// It must not know what a step does.
package script

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
)

// Errors of sentences without a function, or with several.
var (
	ErrUndefined = errors.New("nobody wrote this step")
	ErrAmbiguous = errors.New("more than one step fits")
)

// Book holds the step definitions. The zero value is empty.
type Book struct {
	steps []definition
	errs  []error
}

type definition struct {
	expr   *regexp.Regexp
	prefix string
	fn     reflect.Value
	args   []reflect.Kind
}

// Step defines a sentence: expr is a regular expression for all of it, fn a function of a context and
// of as many strings and ints as expr has groups, that gives an error. What is wrong with a definition
// comes out of Bind.
func (b *Book) Step(expr string, fn any) {
	d, err := define(expr, fn)
	if err != nil {
		b.errs = append(b.errs, fmt.Errorf("step %q: %w", expr, err))
		return
	}
	b.steps = append(b.steps, d)
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

func define(expr string, fn any) (definition, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return definition{}, err
	}
	d := definition{expr: re, fn: reflect.ValueOf(fn)}
	d.prefix, _ = regexp.MustCompile(strings.TrimPrefix(expr, "^")).LiteralPrefix()
	t := d.fn.Type()
	switch {
	case t.Kind() != reflect.Func, t.NumOut() != 1, t.Out(0) != errorType:
		return definition{}, errors.New("want a function that gives an error")
	case t.NumIn() != re.NumSubexp()+1 || t.In(0) != contextType:
		return definition{}, fmt.Errorf("want a context and %d arguments", re.NumSubexp())
	}
	for i := 1; i < t.NumIn(); i++ {
		kind := t.In(i).Kind()
		if kind != reflect.String && kind != reflect.Int {
			return definition{}, fmt.Errorf("argument of type %v", t.In(i))
		}
		d.args = append(d.args, kind)
	}
	return d, nil
}

// Step is a sentence with its function.
type Step struct {
	Text string
	fn   reflect.Value
	args []reflect.Value
}

// Bind finds the function of each sentence, given with its keyword.
func (b *Book) Bind(sentences []string) ([]Step, error) {
	if err := errors.Join(b.errs...); err != nil {
		return nil, err
	}
	out := make([]Step, len(sentences))
	for i, s := range sentences {
		_, text, _ := strings.Cut(s, " ")
		step, err := b.bind(text)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", s, err)
		}
		step.Text = s
		out[i] = step
	}
	return out, nil
}

func (b *Book) bind(text string) (Step, error) {
	var out Step
	for _, d := range b.steps {
		if !strings.HasPrefix(text, d.prefix) {
			continue
		}
		m := d.expr.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		if out.fn.IsValid() {
			return Step{}, ErrAmbiguous
		}
		out.fn = d.fn
		for i, kind := range d.args {
			if kind == reflect.String {
				out.args = append(out.args, reflect.ValueOf(m[i+1]))
				continue
			}
			n, err := strconv.Atoi(m[i+1])
			if err != nil {
				return Step{}, err
			}
			out.args = append(out.args, reflect.ValueOf(n))
		}
	}
	if !out.fn.IsValid() {
		return Step{}, ErrUndefined
	}
	return out, nil
}

// Run runs the step. A panic becomes an error, so that a card that brings one about ends its case
// alone.
func (s Step) Run(ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("step %q: panic: %v\n%s", s.Text, v, debug.Stack())
		}
	}()
	in := make([]reflect.Value, 0, 1+len(s.args))
	in = append(append(in, reflect.ValueOf(ctx)), s.args...)
	if e, ok := s.fn.Call(in)[0].Interface().(error); ok {
		return fmt.Errorf("step %q: %w", s.Text, e)
	}
	return nil
}
