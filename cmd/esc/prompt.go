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

// loginFlags say who is at the desk. Neither a password nor a PIN ever stands in the command line,
// where every user of the machine could read it.
type loginFlags struct {
	user          string
	passwordFile  string
	passwordStdin bool
	pinFile       string
	pinStdin      bool
}

func (f *loginFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.user, "user", "", "user `ID`; default: asked for")
	flags.StringVar(&f.passwordFile, "password-file", "",
		"read the password from the first line of `file`; default: asked for, not shown")
	flags.BoolVar(&f.passwordStdin, "password-stdin", false,
		"read the password from the first line of standard input")
}

func (f *loginFlags) addPIN(flags *pflag.FlagSet) {
	flags.StringVar(&f.pinFile, "pin-file", "",
		"read the new PIN from the first line of `file`; default: asked for twice, not shown")
	flags.BoolVar(&f.pinStdin, "pin-stdin", false,
		"read the new PIN from a line of standard input, after the password's if that is there too")
}

func (f *loginFlags) check() error {
	if f.passwordFile != "" && f.passwordStdin {
		return usagef("--password-file and --password-stdin exclude each other")
	}
	if f.pinFile != "" && f.pinStdin {
		return usagef("--pin-file and --pin-stdin exclude each other")
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
	pin      *wire.Secret // likewise
	tell     func(string) // writes a line below a progress bar
	pause    func()       // ends a progress bar, so that a prompt has a line of its own
}

// newPerson reads the secrets where flags say they are, before any card is touched.
func newPerson(d desk, f loginFlags) (*person, error) {
	p := &person{
		desk: d, flags: f, in: bufio.NewReaderSize(d.in, maxTyped),
		tell: func(string) {}, pause: func() {},
	}
	var err error
	if p.password, err = p.given(f.passwordFile, f.passwordStdin); err != nil {
		return nil, fmt.Errorf("reading password: %w", err)
	}
	if p.pin, err = p.given(f.pinFile, f.pinStdin); err != nil {
		return nil, fmt.Errorf("reading new PIN: %w", err)
	}
	return p, nil
}

// given is the secret in a file or on standard input; nil when it is in neither.
func (p *person) given(file string, stdin bool) (*wire.Secret, error) {
	var line string
	var err error
	switch {
	case stdin:
		line, err = readLine(p.in)
	case file != "":
		line, err = firstLine(file)
	default:
		return nil, nil //nolint:nilnil // no secret is no error
	}
	if err != nil {
		return nil, err
	}
	secret := wire.NewSecret(line)
	return &secret, nil
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

func firstLine(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	return readLine(bufio.NewReaderSize(f, maxTyped))
}

// canType reports whether somebody can answer: there is a terminal, and nothing else is read from
// standard input.
func (p *person) canType() bool {
	return p.desk.terminal && !p.flags.passwordStdin && !p.flags.pinStdin
}

// typed asks at the terminal.
func (p *person) typed(ctx context.Context, name string, secret bool) (wire.Secret, error) {
	if !p.canType() {
		return wire.Secret{}, fmt.Errorf("the server asks for %q and there is no terminal to ask at; "+
			"give --user, and --password-file or --password-stdin", printable(name))
	}
	p.pause()
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
