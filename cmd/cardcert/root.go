package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"tokenwright/features/certify"
	"tokenwright/features/verdict"
)

// outcome is a run that came to its end with something else than passes.
type outcome struct {
	counts map[verdict.Verdict]int
}

func (o outcome) Error() string {
	return fmt.Sprintf("%d failed, %d inconclusive", o.counts[verdict.Fail], o.counts[verdict.Inconclusive])
}

func (o outcome) code() int {
	if o.counts[verdict.Fail] > 0 {
		return exitFailed
	}
	return exitInconclusive
}

// run is main without the process around it.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := &cobra.Command{
		Use:           "cardcert",
		Short:         "Certifies card stock, virtual or physical",
		Long:          help,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	root.SetArgs(args)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(runCommand(), verifyCommand(), profileCommand(), compareCommand(), lotCommand(),
		listCommand(), coverageCommand(), factsCommand())
	return exitCode(root.ExecuteContext(ctx), errOut)
}

func exitCode(err error, errOut io.Writer) int {
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintln(errOut, "cardcert:", err)
	var usage usageError
	var ended interface{ code() int }
	switch {
	case errors.As(err, &usage):
		_, _ = fmt.Fprintln(errOut, `Try "cardcert --help".`)
		return exitUsage
	case errors.As(err, &ended):
		return ended.code()
	case errors.Is(err, errRefused):
		return exitFailed
	case certify.Refused(err):
		return exitRefused
	}
	return exitInconclusive
}
