package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tokenwright/tms/admin/caadmin"
	"tokenwright/tms/connector"
)

// sayFacts shows what a CA is.
func sayFacts(ctx context.Context, f *caTarget, cmd *cobra.Command, a caadmin.Authority) error {
	c, err := a.Facts(ctx)
	if err != nil {
		return err
	}
	return f.say(cmd.OutOrStdout(), c, func(w io.Writer) {
		fmt.Fprintf(w, "name\t%s\nsubject\t%s\nkey id\t%s\nuntil\t%s\nretired\t%t\n", c.Name, c.Subject,
			c.KeyID, c.NotAfter.Format(time.DateOnly), c.Retired)
		for i, s := range c.Chain {
			fmt.Fprintf(w, "chain %d\t%s\n", i, s)
		}
		for _, id := range c.Profiles {
			fmt.Fprintf(w, "profile\t%s\n", id)
		}
	})
}

func caShow(f *caTarget) *cobra.Command {
	return &cobra.Command{Use: "show NAME [SERIAL]", Short: "Show a CA, or one of its certificates",
		Long: `Show a CA, with the profiles that it issues by, or one of its certificates, with who did
what to it.`,
		Args: usage(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withCA(cmd, f, args[0], func(ctx context.Context, a caadmin.Authority) error {
				if len(args) == 1 {
					return sayFacts(ctx, f, cmd, a)
				}
				serial, err := connector.ParseSerial(args[1])
				if err != nil {
					return usageError{err}
				}
				c, err := a.Show(ctx, serial)
				if err != nil {
					return err
				}
				return f.say(cmd.OutOrStdout(), c, func(w io.Writer) { sayCert(w, c) })
			})
		}}
}

func sayCert(w io.Writer, c caadmin.Certificate) {
	for _, kv := range [][2]string{{"serial", string(c.Serial)}, {"state", c.State},
		{"reason", c.Reason}, {"subject", c.Subject}, {"profile", c.Profile}, {"user", c.User},
		{"token", c.CUID}, {"from", c.NotBefore.Format(time.DateTime)},
		{"until", c.NotAfter.Format(time.DateTime)}, {"request", c.Request},
		{"requester", c.Requester}, {"renews", string(c.Renews)}} {
		if kv[1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", kv[0], kv[1])
		}
	}
	for _, e := range c.Events {
		fmt.Fprintf(w, "%s\t%s by %s (%s)\n", e.At.Format(time.DateTime), e.Op, e.Actor, e.Detail)
	}
	fmt.Fprint(w, c.PEM)
}

func caList(f *caTarget) *cobra.Command {
	var q caadmin.Query
	var after string
	cmd := &cobra.Command{Use: "list NAME", Short: "List a CA's certificates, the newest first",
		Example: `  tms ca list ca1 --dir /srv/tms --user alice --state valid
  tms ca list ca1 --dir /srv/tms --after 4f2a77b3    # the next page`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if q.State != "" && !slices.Contains(caadmin.States(), q.State) {
				return usageError{fmt.Errorf("--state %q: want one of %s", q.State,
					strings.Join(caadmin.States(), ", "))}
			}
			if after != "" {
				var err error
				if q.After, err = connector.ParseSerial(after); err != nil {
					return usageError{fmt.Errorf("--after: %w", err)}
				}
			}
			return withCA(cmd, f, args[0], func(ctx context.Context, a caadmin.Authority) error {
				certs, err := a.List(ctx, q)
				if err != nil {
					return err
				}
				return f.say(cmd.OutOrStdout(), certs, func(w io.Writer) {
					fmt.Fprintln(w, "SERIAL\tSTATE\tUNTIL\tPROFILE\tSUBJECT")
					for _, c := range certs {
						fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", c.Serial, c.State,
							c.NotAfter.Format(time.DateOnly), c.Profile, c.Subject)
					}
				})
			})
		}}
	fl := cmd.Flags()
	fl.StringVar(&q.User, "user", "", "of this user only")
	fl.StringVar(&q.CUID, "cuid", "", "of this token only, 20 hex digits")
	fl.StringVar(&q.Profile, "profile", "", "of this profile only")
	fl.StringVar(&q.State, "state", "", "of this state only: "+strings.Join(caadmin.States(), ", "))
	fl.StringVar(&after, "after", "", "go on after the certificate of this serial number")
	fl.IntVar(&q.Limit, "limit", 100, "at most so many, up to "+strconv.Itoa(caadmin.MaxPage))
	return cmd
}

func caIssue(f *caTarget) *cobra.Command {
	var csr, out string
	var attrs map[string]string
	var o caadmin.Order
	cmd := &cobra.Command{Use: "issue NAME --csr FILE --profile ID",
		Short: "Issue a certificate for a signing request", Args: usage(cobra.ExactArgs(1)),
		Long: "Issue a certificate for a signing request in PEM or DER form, whose signature proves\n" +
			"that its maker has the key. The profile says what becomes of its names.",
		Example: `  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout www.key \
      -subj /CN=www.example.com -addext subjectAltName=DNS:www.example.com |
    tms ca issue ca1 --dir /srv/tms --csr - --out www.crt`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if f.asJSON && out != "" {
				return usageError{errors.New("--out and --json exclude each other")}
			}
			if o.CSR, err = readIn(cmd, csr); err != nil {
				return err
			}
			o.Attributes = map[string]string{}
			for name, v := range attrs {
				o.Attributes[strings.ToLower(name)] = v
			}
			return withCA(cmd, f, args[0], func(ctx context.Context, a caadmin.Authority) error {
				issued, err := a.Issue(ctx, o)
				if err != nil {
					return err
				}
				if f.asJSON {
					return f.say(cmd.OutOrStdout(), issued, nil)
				}
				return writeOut(cmd, out, []byte(issued.PEM))
			})
		}}
	fl := cmd.Flags()
	fl.StringVar(&csr, "csr", "", "the request, - for standard input")
	fl.StringVar(&o.Profile, "profile", "caServerCert", "profile to issue by")
	fl.StringVar(&o.User, "user", "", "the user's id, for profiles that name one")
	fl.StringToStringVar(&attrs, "attr", nil, "values for profiles, as mail=anna@example.com")
	fl.StringVar(&o.RequestID, "request-id", "", "asking again with the same id gives the same certificate")
	fl.StringVar(&out, "out", "", "new file; standard output when not stated")
	_ = cmd.MarkFlagRequired("csr") // the flag is there
	return cmd
}

// changeCommand makes a command that changes the state of certificates.
func changeCommand(f *caTarget, use, did, short string,
	do func(context.Context, caadmin.Authority, connector.Serial) error,
) *cobra.Command {
	return &cobra.Command{Use: use + " NAME SERIAL...", Short: short,
		Long: short + `. OCSP says so at once, revocation lists with the next one, which
tms ca crl issues now. Serial numbers are in hex, as tms ca list shows them.`,
		Example: "  tms ca " + use + " ca1 4f2a77b3 --dir /srv/tms",
		Args:    usage(cobra.MinimumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var serials []connector.Serial
			for _, text := range args[1:] {
				serial, err := connector.ParseSerial(text)
				if err != nil {
					return usageError{err}
				}
				serials = append(serials, serial)
			}
			return withCA(cmd, f, args[0], func(ctx context.Context, a caadmin.Authority) error {
				for _, serial := range serials {
					if err := do(ctx, a, serial); err != nil {
						return err
					}
					fmt.Fprintln(cmd.ErrOrStderr(), serial, did)
				}
				return nil
			})
		}}
}

func caRevoke(f *caTarget) *cobra.Command {
	var text string
	var reason connector.Reason
	cmd := changeCommand(f, "revoke", "is revoked", "Revoke certificates for good",
		func(ctx context.Context, a caadmin.Authority, s connector.Serial) error {
			return a.Revoke(ctx, connector.RevokeRequest{Serial: s, Reason: reason})
		})
	do := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		reason, err = caadmin.ParseReason(text)
		if err == nil && reason == connector.ReasonCertificateHold {
			err = fmt.Errorf("%s is not for good: tms ca hold", text)
		}
		if err != nil {
			return usageError{fmt.Errorf("--reason: %w", err)}
		}
		return do(cmd, args)
	}
	cmd.Flags().StringVar(&text, "reason", "unspecified",
		"number or name: unspecified, keyCompromise, cACompromise, affiliationChanged, superseded, "+
			"cessationOfOperation, privilegeWithdrawn, aACompromise")
	return cmd
}

func caHold(f *caTarget) *cobra.Command {
	return changeCommand(f, "hold", "is on hold", "Put certificates on hold",
		func(ctx context.Context, a caadmin.Authority, s connector.Serial) error {
			return a.Revoke(ctx, connector.RevokeRequest{Serial: s,
				Reason: connector.ReasonCertificateHold})
		})
}

func caRelease(f *caTarget) *cobra.Command {
	return changeCommand(f, "release", "is released", "End the hold of certificates",
		func(ctx context.Context, a caadmin.Authority, s connector.Serial) error {
			return a.Release(ctx, s)
		})
}

func sayCRL(w io.Writer, c caadmin.CRL) {
	fmt.Fprintf(w, "number\t%d\n", c.Number)
	if c.Base != 0 {
		fmt.Fprintf(w, "adds to\t%d\n", c.Base)
	}
	fmt.Fprintf(w, "entries\t%d\nissued\t%s\ngood until\t%s\n", c.Entries,
		c.ThisUpdate.Format(time.DateTime), c.NextUpdate.Format(time.DateTime))
}
