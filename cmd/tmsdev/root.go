package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// usageError is a mistake in the command line.
type usageError struct{ error }

// run executes one command line and gives its exit code.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	var o options
	cmd := &cobra.Command{
		Use: "tmsdev", Short: "A token management system for trying out", Long: help,
		Example: "  tmsdev\n  tmsdev --listen 127.0.0.1:9443 --dir ~/tmsdev",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unexpected argument %q", args[0])}
			}
			return nil
		},
		SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), o, out, errOut) },
	}
	o.flags(cmd.Flags())
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	// Most terminals are no wider; the flags' own lines are as long as they come.
	cmd.SetUsageTemplate(strings.ReplaceAll(cmd.UsageTemplate(), ".FlagUsages",
		".FlagUsagesWrapped 80"))
	cmd.SetArgs(args)
	cmd.SetOut(out)
	cmd.SetErr(errOut)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(errOut, "tmsdev:", err)
	if _, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintln(errOut, `Try "tmsdev --help".`)
		return exitUsage
	}
	return exitFailed
}
