package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// usageError is a wrong command line.
type usageError struct{ error }

// Unwrap gives what is wrong with the command line.
func (e usageError) Unwrap() error { return e.error }

// exitError is an error with an exit code of its own.
type exitError struct {
	error
	code int
}

// Unwrap gives the error itself.
func (e exitError) Unwrap() error { return e.error }

// isUnknownCommand tells whether the command line names no command, which cobra reports as an
// error like any other.
func isUnknownCommand(root *cobra.Command, args []string) bool {
	_, _, err := root.Find(args)
	return err != nil
}

// usage makes a wrong number or kind of arguments a usage error.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{fmt.Errorf("%s: %w", cmd.CommandPath(), err)}
		}
		return nil
	}
}
