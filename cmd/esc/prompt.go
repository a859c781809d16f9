package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"tokenwright/tms/esc"
	"tokenwright/tms/wire"
)

// loginFlags say who is at the desk. A password never stands in the command line, where every
// user of the machine could read it.
type loginFlags struct {
	user          string
	passwordFile  string
	passwordStdin bool
}

func (f *loginFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.user, "user", "", "user `ID`; default: asked for")
	flags.StringVar(&f.passwordFile, "password-file", "",
		"read the password from the first line of `file`; default: asked for, not shown")
	flags.BoolVar(&f.passwordStdin, "password-stdin", false,
		"read the password from the first line of standard input")
}

func (f *loginFlags) check() error {
	if f.passwordFile != "" && f.passwordStdin {
		return usagef("--password-file and --password-stdin exclude each other")
	}
	return nil
}

// maxTyped bounds one typed or read line in bytes.
const maxTyped = 4096

// person answers a server's prompts from flags, files and the terminal.
type person struct {
	desk     desk
	flags    loginFlags
	in       *bufio.Reader
	password *wire.Secret // given by flag; nil: to be typed
	tell     func(string) // writes a line below a progress bar
}

// newPerson reads the password where a flag says it is, before any card is touched.
func newPerson(d desk, f loginFlags) (*person, error) {
	p := &person{desk: d, flags: f, in: bufio.NewReaderSize(d.in, maxTyped), tell: func(string) {}}
	var line string
	var err error
	switch {
	case f.passwordStdin:
		line, err = readLine(p.in)
	case f.passwordFile != "":
		line, err = firstLine(f.passwordFile)
	default:
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading password: %w", err)
	}
	secret := wire.NewSecret(line)
	p.password = &secret
	return p, nil
}

// Ask implements esc.Prompter.
func (p *person) Ask(ctx context.Context, prompt esc.Prompt) (wire.Credentials, error) {
	switch {
	case prompt.Blocked:
		return nil, errors.New("the server does not accept this user any more")
	case prompt.Retry:
		return nil, errors.New("the server did not accept the login")
	}
	if p.desk.terminal {
		for _, text := range []string{prompt.Title, prompt.Description} {
			if text != "" {
				p.tell(printable(text))
			}
		}
	}
	var out wire.Credentials
	for _, param := range prompt.Params {
		v, err := p.value(ctx, param)
		if err != nil {
			return nil, err
		}
		out = append(out, wire.Credential{ID: param.ID, Value: v})
	}
	return out, nil
}

func (p *person) value(ctx context.Context, param wire.Param) (wire.Secret, error) {
	name := param.Name
	if name == "" {
		name = param.ID
	}
	switch {
	case param.ID == esc.ParamUID && p.flags.user != "":
		return wire.NewSecret(p.flags.user), nil
	case param.ID == esc.ParamPassword && p.password != nil:
		return *p.password, nil
	}
	return p.typed(ctx, name, param.Secret())
}

// NewPIN implements esc.Prompter. A PIN is typed twice, so that nobody locks a card by a slip.
func (p *person) NewPIN(ctx context.Context, shortest, longest int) (wire.Secret, error) {
	pin, err := p.typed(ctx, fmt.Sprintf("New PIN (%d to %d characters)", shortest, longest), true)
	if err != nil {
		return wire.Secret{}, err
	}
	again, err := p.typed(ctx, "New PIN again", true)
	if err != nil {
		return wire.Secret{}, err
	}
	if !pin.Equal(again) {
		return wire.Secret{}, errors.New("the two PINs differ")
	}
	return pin, nil
}

func firstLine(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	return readLine(bufio.NewReaderSize(f, maxTyped))
}

// typed asks at the terminal.
func (p *person) typed(ctx context.Context, name string, secret bool) (wire.Secret, error) {
	if !p.desk.terminal || p.flags.passwordStdin {
		return wire.Secret{}, fmt.Errorf("the server asks for %q and there is no terminal to ask at; "+
			"give --user, and --password-file or --password-stdin", printable(name))
	}
	_, _ = fmt.Fprintf(p.desk.err, "%s: ", printable(name))
	if !secret {
		s, err := p.line(ctx)
		return wire.NewSecret(s), err
	}
	b, err := await(ctx, p.desk.hidden)
	_, _ = fmt.Fprintln(p.desk.err)
	if err != nil {
		p.desk.restore()
		return wire.Secret{}, err
	}
	return wire.NewSecret(string(b)), nil
}

func (p *person) line(ctx context.Context) (string, error) {
	return await(ctx, func() (string, error) { return readLine(p.in) })
}

// readLine reads a line without its end; a last line may have none.
func readLine(r *bufio.Reader) (string, error) {
	b, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", fmt.Errorf("line is over %d bytes", maxTyped)
	case errors.Is(err, io.EOF) && len(b) == 0:
		return "", errors.New("nothing to read")
	case err != nil && !errors.Is(err, io.EOF):
		return "", err
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// await runs f, which cannot be interrupted, and leaves it behind when ctx ends: the program is
// about to end too.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type outcome struct {
		v   T
		err error
	}
	c := make(chan outcome, 1)
	go func() {
		v, err := f()
		c <- outcome{v, err}
	}()
	select {
	case o := <-c:
		return o.v, o.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
