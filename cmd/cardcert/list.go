package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tokenwright/features/capability"
	"tokenwright/features/catalogue"
	"tokenwright/features/conformance"
)

func listCommand() *cobra.Command {
	var only []string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the cases of the catalogue",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cases, err := catalogue.Load(conformance.FS)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, c := range cases {
				if !matches(c, only) {
					continue
				}
				_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", c.ID, c.Clause, c.Class, c.Risk,
					c.Applies, c.Title)
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringArrayVar(&only, "only", nil, "cases: SEL-01, SEL, a tag or a feature; may be repeated")
	return cmd
}

func matches(c catalogue.Case, only []string) bool {
	for _, word := range only {
		if c.Matches(word) {
			return true
		}
	}
	return len(only) == 0
}

func factsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "facts",
		Short: "List the facts about cards by which cases apply",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, name := range capability.Names() {
				_, _ = fmt.Fprintf(w, "%s\t%s\n", name, capability.Known[name])
			}
			return w.Flush()
		},
	}
}

func coverageCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "coverage",
		Short: "List the clauses with the cases that test them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cases, err := catalogue.Load(conformance.FS)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, c := range catalogue.Coverage(cases) {
				_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", c.Document, c.Section, strings.Join(c.Cases, " "))
			}
			return w.Flush()
		},
	}
}
