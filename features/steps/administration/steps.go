// Package administration holds the steps of those who administer tokens: what they type and ask for, and
// what they are shown. They reach the system as everybody does, by its command and its REST paths; only
// where a scenario begins with a token in some state is the record put there.
package administration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/cucumber/godog"

	"tokenwright/features/lab"
	"tokenwright/features/steps/scene"
	"tokenwright/tms/gp/keys"
)

// AddSteps registers the steps.
func AddSteps(sc *godog.ScenarioContext) {
	sc.Before(func(ctx context.Context, _ *godog.Scenario) (context.Context, error) {
		return context.WithValue(ctx, key{}, &state{people: map[string]string{}}), nil
	})
	sc.After(func(ctx context.Context, _ *godog.Scenario, err error) (context.Context, error) {
		return ctx, errors.Join(err, from(ctx).tidy())
	})
	sc.Step(`^"([^"]*)" administers as ([a-z, ]+)$`, administers)
	sc.Step(`^the operator types: tms (.+)$`, types)
	sc.Step(`^"([^"]*)" types: tms (.+)$`, typesAs)
	sc.Step(`^the command succeeds$`, succeeded)
	sc.Step(`^the command ends with exit code (\d+)$`, endedWith)
	sc.Step(`^the command says "([^"]*)"$`, says)
	sc.Step(`^the command does not say "([^"]*)"$`, saysNot)
	sc.Step(`^the command shows lines with$`, showsLines)
	addRecordSteps(sc)
	addTableSteps(sc)
	addLabelSteps(sc)
	addRESTSteps(sc)
	addResolverSteps(sc)
}

// state is what a scenario of administration remembers.
type state struct {
	out, errOut string
	code        int
	dir         string            // of the configuration, for commands
	people      map[string]string // paths of certificates, by name
	listed      []string          // those of them who may do something
	authority   *authority
	folder      string // of certificates
	record      keys.CUID
	status      int // of the last answer over REST
	body        string
}

type key struct{}

func from(ctx context.Context) *state { return ctx.Value(key{}).(*state) }

func (s *state) tidy() error {
	var errs []error
	for _, dir := range []string{s.dir, s.folder} {
		if dir != "" {
			errs = append(errs, os.RemoveAll(dir))
		}
	}
	return errors.Join(errs...)
}

// token is the one that the scenario speaks of: of the card, or of a record without one.
func (s *state) token(ctx context.Context) keys.CUID {
	if card := scene.From(ctx).Card; card != nil {
		return card.CUID()
	}
	return s.record
}

// tmsBinary names a tms to take instead of building one.
const tmsBinary = "TMS_BINARY"

// building has one scenario build the command while others wait for it.
var building sync.Mutex

// command gives the real command, built once in a run beside its laboratories, which are removed together.
func command(ctx context.Context, l *lab.Lab) (string, error) {
	if path := os.Getenv(tmsBinary); path != "" {
		return path, nil
	}
	building.Lock()
	defer building.Unlock()
	path := filepath.Join(l.Beside(), "tms-of-administration")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "tokenwright/cmd/tms").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building tms (%s can name one): %w\n%s", tmsBinary, err, out)
	}
	return path, nil
}

// patience bounds one run of the command.
const patience = time.Minute

// types runs the command over the socket.
func types(ctx context.Context, line string) error { return typesAs(ctx, "", line) }

// typesAs runs the command over HTTPS, with somebody's certificate.
func typesAs(ctx context.Context, who, line string) error {
	st := from(ctx)
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return err
	}
	args, err := words(st.named(ctx, line))
	if err != nil {
		return err
	}
	for i, arg := range args {
		if arg == "ATR" {
			args[i] = ofCard(ctx, arg)
		}
	}
	flags, err := st.flags(l, who)
	if err != nil {
		return err
	}
	path, err := command(ctx, l)
	if err != nil {
		return err
	}
	st.out, st.errOut, st.code, err = run(ctx, path, append(args, flags...))
	return err
}

// named puts the token's identifier where the line says TOKEN.
func (s *state) named(ctx context.Context, line string) string {
	line = strings.ReplaceAll(line, "SECOND", second(ctx))
	return strings.ReplaceAll(line, "TOKEN", s.token(ctx).String())
}

func second(ctx context.Context) string {
	if card := scene.From(ctx).Second; card != nil {
		return card.CUID().String()
	}
	return "SECOND"
}

// flags lead a command to the server.
func (s *state) flags(l *lab.Lab, who string) ([]string, error) {
	if who != "" {
		path, ok := s.people[who]
		if !ok {
			return nil, fmt.Errorf("%s has no certificate", who)
		}
		return []string{"--url", l.AdminURL(), "--as", path, "--ca", l.CA()}, nil
	}
	if s.dir == "" {
		dir, err := l.ConfigDir()
		s.dir = dir
		if err != nil {
			return nil, err
		}
	}
	return []string{"--dir", s.dir}, nil
}

func run(ctx context.Context, path string, args []string) (out, errOut string, code int, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", "", 0, fmt.Errorf("running tms: %w", err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode(), nil
}

// words cuts a line as a shell does, as far as blanks and double quotes go.
func words(line string) ([]string, error) {
	var out []string
	var word strings.Builder
	in, begun := false, false
	for _, c := range line {
		switch {
		case c == '"':
			in, begun = !in, true
		case c == ' ' && !in:
			if begun {
				out = append(out, word.String())
				word.Reset()
			}
			begun = false
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	if begun {
		out = append(out, word.String())
	}
	if in {
		return nil, fmt.Errorf("the line %q ends inside quotes", line)
	}
	return out, nil
}

func (s *state) said() string { return strings.TrimSpace(s.out + "\n" + s.errOut) }

func succeeded(ctx context.Context) error { return endedWith(ctx, 0) }

func endedWith(ctx context.Context, want int) error {
	if st := from(ctx); st.code != want {
		return fmt.Errorf("it ended with exit code %d:\n%s", st.code, st.said())
	}
	return nil
}

func says(ctx context.Context, want string) error {
	st := from(ctx)
	if !strings.Contains(st.said(), st.named(ctx, want)) {
		return fmt.Errorf("it said:\n%s", st.said())
	}
	return nil
}

func saysNot(ctx context.Context, text string) error {
	st := from(ctx)
	if strings.Contains(st.said(), st.named(ctx, text)) {
		return fmt.Errorf("it said:\n%s", st.said())
	}
	return nil
}

// showsLines wants a line for each row, with its cells in their order, and the lines in the order of the
// rows.
func showsLines(ctx context.Context, want *godog.Table) error {
	st := from(ctx)
	lines := strings.Split(st.out, "\n")
	at := 0
	for _, row := range want.Rows {
		for at < len(lines) && !holds(ctx, lines[at], row.Cells) {
			at++
		}
		if at == len(lines) {
			return fmt.Errorf("no line, or none after the one before, holds %v:\n%s", cells(row.Cells),
				st.out)
		}
		at++
	}
	return nil
}
