package administration

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/cucumber/godog"

	"tokenwright/features/steps/scene"
)

func addLabelSteps(sc *godog.ScenarioContext) {
	sc.Step(`^the operator writes into the file of labels$`, writesLabels)
	sc.Step(`^the operator deletes the file of labels$`, deletesLabels)
	sc.Step(`^the file of labels holds (a terminal's escape sequence|a program|a megabyte|an unknown state)$`, spoils)
	sc.Step(`^the server's log warns (once|never) of the file of labels$`, warned)
}

func labelFile(ctx context.Context) (string, error) {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return "", err
	}
	path := l.LabelFile()
	scene.From(ctx).OnClose(func() error {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	return path, nil
}

func write(ctx context.Context, text string) error {
	path, err := labelFile(ctx)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

func writesLabels(ctx context.Context, text *godog.DocString) error { return write(ctx, text.Content) }

func deletesLabels(ctx context.Context) error {
	path, err := labelFile(ctx)
	if err != nil {
		return err
	}
	return os.Remove(path)
}

// spoils writes what no label file is.
func spoils(ctx context.Context, how string) error {
	return write(ctx, map[string]string{
		"a terminal's escape sequence": "ACTIVE = \x1b[2Jgone\n",
		"a program":                    "\x7fELF\x02\x01\x01\x00\x00 = \x00\n",
		"a megabyte":                   "ACTIVE = in use\n" + strings.Repeat("# and so on\n", 100_000),
		"an unknown state":             "ACTIVE = in use\nASLEEP = sleeping\n",
	}[how])
}

func warned(ctx context.Context, how string) error {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return err
	}
	want := map[string]int{"once": 1}[how]
	if n := strings.Count(l.Log(), "labels are not read"); n != want {
		return fmt.Errorf("it warns %d times", n)
	}
	return nil
}
