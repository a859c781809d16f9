// Command bdd runs the feature files on the card that CARD names; `make bdd` calls it.
// It exits with 0 when every scenario that should run passed, 1 when one did not, 2 when nothing
// could be run.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"tokenwright/features/lab"
	"tokenwright/features/suite"
)

func main() {
	if lab.IsChild() {
		os.Exit(lab.ChildMain())
	}
	os.Exit(run())
}

func run() int {
	log.SetOutput(io.Discard) // the embedded directory logs through the global logger
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c, err := suite.FromEnv()
	if err == nil {
		err = suite.Run(ctx, c, os.Stdout)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, suite.ErrFailed):
		return 1
	}
	fmt.Fprintln(os.Stderr, "bdd:", err)
	return 2
}
