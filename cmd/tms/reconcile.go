package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"tokenwright/tms/instance"
	"tokenwright/tms/tps/routing/compare"
)

// Exit codes of reconcile.
const (
	exitDiffers      = 1 // there are differences that were not mended
	exitNotReconcile = 2 // it could not be compared, or not all of it
)

const reconcileHelp = `Compare the token database with each certificate authority and with the key recovery
authority, and show every difference: certificates that are good at a CA without a token's record,
records whose status is another than the CA's, certificates whose key should be archived and is not,
archived keys without a certificate, steps that were announced and never ended, ...

The CAs and the KRA of the same instance are looked through by their files. Others are asked over
HTTPS about what is on record; what they have beyond that is not known, and the summary says so,
unless --ask tells where they may be looked through, as one who may look at a CA, and as a recovery
agent of a KRA: --ask ca2=https://pki.example.com:9443 --ask kra1=https://kra.example.com:8445
--as ./ann

With --repair what can be mended is. The CA is right about its certificates, except that what is on
record as revoked is revoked again, and on hold is held again while the token is suspended. What is
good at a CA and on no record is revoked if it was issued for a token of this database, or on a
request of it. A step that a card has to take part in waits for the card.

The instance may be served at the same time: what is younger than --grace, which is as long as a
session may take when not stated, is left to sessions that may be under way. --grace 0 is for an
instance that is not served.

Exit codes: 0 no difference is left, 1 some are, 2 it could not be compared, or not all of it.`

func reconcileCommand() *cobra.Command {
	var dir, as, caFile string
	var asJSON bool
	o := instance.ReconcileOptions{Grace: -1}
	cmd := &cobra.Command{Use: "reconcile", Short: "Compare the token database with CAs and KRA, and " +
		"mend it", Long: reconcileHelp,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("grace") && o.Grace < 0 {
				return usageError{fmt.Errorf("--grace %s: want no time before now", o.Grace)}
			}
			if len(o.Ask) > 0 {
				var err error
				if o.TLS, err = showing(as, caFile); err != nil {
					return err
				}
			}
			out := newDifferences(cmd.OutOrStdout(), asJSON)
			o.Report, o.Actor = out.add, operator()
			o.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(),
				&slog.HandlerOptions{Level: slog.LevelWarn}))
			sum, err := instance.Reconcile(cmd.Context(), dir, o)
			if werr := out.end(sum, err); werr != nil {
				return exitError{errors.Join(werr, err), exitNotReconcile}
			}
			switch {
			case err != nil:
				return exitError{err, exitNotReconcile}
			case sum.Left() > 0:
				return exitError{fmt.Errorf("%d differences are left", sum.Left()), exitDiffers}
			}
			return nil
		}}
	fl := cmd.Flags()
	fl.StringVar(&dir, "dir", ".", "the instance's directory")
	fl.BoolVar(&asJSON, "json", false, "answer in JSON")
	fl.BoolVar(&o.Repair, "repair", false, "mend what can be mended")
	fl.DurationVar(&o.Grace, "grace", -1, "leave alone what is younger; as long as a session may take "+
		"when not stated")
	fl.Lookup("grace").DefValue = ""
	fl.StringToStringVar(&o.Ask, "ask", nil, "where a CA or KRA that runs elsewhere may be looked through, "+
		"as ca2=https://host:port")
	fl.StringVar(&as, "as", "", "certificate and key to show there: a path without .crt and .key")
	fl.StringVar(&caFile, "ca", "", "certificate that they are trusted by; ca.crt beside --as")
	return cmd
}

// differences writes what is found as it is found: there may be more than memory holds.
type differences struct {
	out  io.Writer
	json bool
	n    int
}

func newDifferences(out io.Writer, asJSON bool) *differences {
	return &differences{out: out, json: asJSON}
}

// add writes one difference.
func (d *differences) add(x compare.Difference) error {
	d.n++
	if d.json {
		text, err := json.Marshal(x)
		if err != nil {
			return err
		}
		head := "{\"differences\":[\n"
		if d.n > 1 {
			head = ",\n"
		}
		_, err = fmt.Fprintf(d.out, "%s%s", head, text)
		return err
	}
	_, err := io.WriteString(d.out, sentence(x))
	return err
}

// sentence says a difference in words.
func sentence(x compare.Difference) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", x.Kind)
	for _, part := range [][2]string{{"token", x.CUID}, {"user", x.UserID}, {"certificate", x.Serial},
		{"key", x.KeyID}, {"at", x.Authority}} {
		if part[1] != "" {
			fmt.Fprintf(&b, " %s %s", part[0], part[1])
		}
	}
	fmt.Fprintf(&b, "\n  recorded: %s\n  found:    %s\n", x.Record, x.Found)
	switch {
	case x.Mended:
		fmt.Fprintf(&b, "  mended:   %s\n", x.Remedy)
	case x.Problem != "":
		fmt.Fprintf(&b, "  not mended: %s\n", x.Problem)
	case x.Mendable:
		fmt.Fprintf(&b, "  --repair: %s\n", x.Remedy)
	default:
		fmt.Fprintf(&b, "  by hand:  %s\n", x.Remedy)
	}
	return b.String()
}

// end writes the summary.
func (d *differences) end(sum compare.Summary, failed error) error {
	if d.json {
		if d.n == 0 {
			if _, err := io.WriteString(d.out, "{\"differences\":["); err != nil {
				return err
			}
		}
		last := struct {
			compare.Summary
			Left     int  `json:"left"`
			Complete bool `json:"complete"`
		}{sum, sum.Left(), failed == nil}
		text, err := json.Marshal(last)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(d.out, "],\n\"summary\":%s}\n", text)
		return err
	}
	fmt.Fprintf(d.out, "%d certificate records, %d certificates and %d keys compared: "+
		"%d differences, %d mended\n", sum.Records, sum.Certificates, sum.Keys, sum.Differences, sum.Mended)
	if len(sum.Unlisted) > 0 {
		fmt.Fprintf(d.out, "asked only about what is on record: %s\n", strings.Join(sum.Unlisted, ", "))
	}
	if len(sum.Unreachable) > 0 {
		fmt.Fprintf(d.out, "did not answer: %s\n", strings.Join(sum.Unreachable, ", "))
	}
	return nil
}
