package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tokenwright/features/cardprofile"
	"tokenwright/features/certify"
)

func profileCommand() *cobra.Command {
	var f runFlags
	var samples int
	var file string
	cmd := &cobra.Command{
		Use:   "profile (--sim STOCK | --reader NAME) [--output FILE]",
		Short: "Describe a card: what it says, what it can do, how long it takes",
		Long: `Writes a profile of the card: its data objects, what it was found to support, and the
times of its commands, each measured --samples times, in microseconds.

Nothing on the card is changed but the counters that every session moves. Without keys
(--keys, --stock) what needs a secure channel is left out: compare profiles that were
taken in the same way.`,
		Example: `  cardcert profile --reader "Reader 00 00" --stock gp211-scp02 --output golden.json
  cardcert compare golden.json sample*.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.profile(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr(), samples, file)
		},
	}
	f.registerCard(cmd.Flags())
	cmd.Flags().IntVar(&samples, "samples", 100, "how often each command is measured")
	cmd.Flags().StringVarP(&file, "output", "o", "", "`file` to write; standard output without it")
	return cmd
}

func (f *runFlags) profile(
	ctx context.Context, in io.Reader, out, progress io.Writer, samples int, file string,
) error {
	if samples < 1 || samples > certify.MaxSamples {
		return usageError{fmt.Errorf("--samples: 1 to %d", certify.MaxSamples)}
	}
	conf, err := f.config(in)
	if err != nil {
		return err
	}
	defer func() { _ = conf.Source.Close() }()
	if !f.quiet {
		conf.Progress = progress
	}
	p, err := certify.Profile(ctx, conf, samples)
	if err != nil {
		return err
	}
	if file == "" {
		return p.Write(out)
	}
	return writeFile(file, p.Write)
}

func compareCommand() *cobra.Command {
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:   "compare REFERENCE CARD...",
		Short: "Tell whether cards are of the same stock as a reference, by their profiles",
		Long: `Holds profiles against that of a reference card and gives a verdict on each: MATCH, as
cards of one stock are; WARN, as they seldom are; SUSPICIOUS, another stock, or the same
card twice. What differs is listed, the weightiest first.

Times are compared where reader and protocol are the same, by their medians.

Exit codes: 0 all match, 1 one is suspicious, 3 none is and there are warnings.`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return compare(cmd.OutOrStdout(), args, asJSON, all)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for machines, with every field")
	cmd.Flags().BoolVar(&all, "all", false, "list what matches too")
	return cmd
}

// compared is one card with what the comparison says of it.
type compared struct {
	File string `json:"file"`
	cardprofile.Comparison
}

func compare(out io.Writer, files []string, asJSON, all bool) error {
	reference, err := readProfile(files[0])
	if err != nil {
		return usageError{err}
	}
	var results []compared
	worst := cardprofile.Match
	for _, name := range files[1:] {
		card, err := readProfile(name)
		if err != nil {
			return usageError{err}
		}
		c := cardprofile.Compare(reference, card)
		results = append(results, compared{name, c})
		if c.Verdict == cardprofile.Suspicious || worst == cardprofile.Match {
			worst = c.Verdict
		}
	}
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		if err := e.Encode(results); err != nil {
			return err
		}
	} else {
		for _, r := range results {
			if err := r.show(out, all); err != nil {
				return err
			}
		}
	}
	if worst != cardprofile.Match {
		return likeness{worst}
	}
	return nil
}

// likeness is a comparison that did not come out as a match.
type likeness struct{ verdict cardprofile.Verdict }

func (l likeness) Error() string { return string(l.verdict) }

func (l likeness) code() int {
	if l.verdict == cardprofile.Suspicious {
		return exitFailed
	}
	return exitInconclusive
}

func (r compared) show(out io.Writer, all bool) error {
	_, _ = fmt.Fprintf(out, "%s: %s, %d fields\n", r.File, r.Verdict, len(r.Findings))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, f := range r.Findings {
		if all || f.Verdict != cardprofile.Match {
			_, _ = fmt.Fprintf(w, "  %s\t%s\treference %s\tcard %s\t%s\n", f.Verdict, f.Name,
				short(f.Reference), short(f.Card), f.Why)
		}
	}
	return w.Flush()
}

// short keeps a line on the screen.
func short(s string) string {
	const most = 40
	switch {
	case s == "":
		return "-"
	case len(s) > most:
		return s[:most-3] + "..."
	}
	return s
}

func readProfile(name string) (cardprofile.Profile, error) {
	file, err := os.Open(name)
	if err != nil {
		return cardprofile.Profile{}, err
	}
	defer file.Close()
	p, err := cardprofile.Read(file)
	if err != nil {
		return p, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}
