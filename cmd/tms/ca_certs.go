package main

import (
	"context"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tokenwright/tms/ca"
	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/connector"
)

// caFacts is what a CA is.
type caFacts struct {
	Name     string    `json:"name"`
	Subject  string    `json:"subject"`
	KeyID    string    `json:"keyId"`
	NotAfter time.Time `json:"notAfter"`
	Retired  bool      `json:"retired"`
	Chain    []string  `json:"chain"`
	Profiles []string  `json:"profiles"`
}

func facts(a *ca.Authority) caFacts {
	chain := a.Chain()
	out := caFacts{Name: a.Name(), Subject: chain[0].Subject.String(), NotAfter: chain[0].NotAfter,
		KeyID: hex.EncodeToString(chain[0].SubjectKeyId), Retired: a.Retired()}
	for _, c := range chain {
		out.Chain = append(out.Chain, c.Subject.String())
	}
	for _, id := range a.Profiles().IDs() {
		if a.Profiles()[id].Enabled {
			out.Profiles = append(out.Profiles, id)
		}
	}
	return out
}

func (c caFacts) words(w io.Writer) {
	fmt.Fprintf(w, "name\t%s\nsubject\t%s\nkey id\t%s\nuntil\t%s\nretired\t%t\n", c.Name, c.Subject,
		c.KeyID, c.NotAfter.Format(time.DateOnly), c.Retired)
	for i, s := range c.Chain {
		fmt.Fprintf(w, "chain %d\t%s\n", i, s)
	}
	for _, id := range c.Profiles {
		fmt.Fprintf(w, "profile\t%s\n", id)
	}
}

// caCert is a certificate as commands show it.
type caCert struct {
	Serial    connector.Serial `json:"serial"`
	State     string           `json:"state"`
	Reason    string           `json:"reason,omitempty"`
	RevokedAt *time.Time       `json:"revokedAt,omitempty"`
	Subject   string           `json:"subject"`
	Profile   string           `json:"profile"`
	User      string           `json:"user,omitempty"`
	CUID      string           `json:"cuid,omitempty"`
	NotBefore time.Time        `json:"notBefore"`
	NotAfter  time.Time        `json:"notAfter"`
	Request   string           `json:"request"`
	Requester string           `json:"requester"`
	Renews    connector.Serial `json:"renews,omitempty"`
	PEM       string           `json:"pem,omitempty"`
	Events    []caEvent        `json:"events,omitempty"`
}

type caEvent struct {
	At     time.Time `json:"at"`
	Op     string    `json:"op"`
	Actor  string    `json:"actor"`
	Detail string    `json:"detail"`
}

var stateNames = map[certdb.State]string{certdb.ToBeSigned: "to_be_signed", certdb.Valid: "valid",
	certdb.Revoked: "revoked", certdb.OnHold: "revoked_on_hold"}

func certOf(r certdb.Record) caCert {
	out := caCert{Serial: r.Serial, State: stateNames[r.State], Subject: r.Subject, Profile: r.Profile,
		User: r.UserID, CUID: r.CUID, NotBefore: r.NotBefore, NotAfter: r.NotAfter,
		Request: r.RequestID, Requester: r.Requester, Renews: r.Renews}
	if r.State == certdb.Revoked || r.State == certdb.OnHold {
		out.Reason, out.RevokedAt = r.Reason.String(), &r.RevokedAt
	}
	return out
}

func caShow(f *caFlags) *cobra.Command {
	return &cobra.Command{Use: "show NAME [SERIAL]", Short: "Show a CA, or one of its certificates",
		Args: usage(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withCA(cmd, f, args[0], func(ctx context.Context, a *ca.Authority) error {
				if len(args) == 1 {
					return f.say(cmd.OutOrStdout(), facts(a), facts(a).words)
				}
				c, err := showCert(ctx, a, args[1])
				if err != nil {
					return err
				}
				return f.say(cmd.OutOrStdout(), c, c.words)
			})
		}}
}

func showCert(ctx context.Context, a *ca.Authority, text string) (c caCert, err error) {
	serial, err := connector.ParseSerial(text)
	if err != nil {
		return c, usageError{err}
	}
	rec, err := a.DB().Certificate(ctx, serial)
	if err != nil {
		return c, err
	}
	events, err := a.DB().Events(ctx, serial)
	if err != nil {
		return c, err
	}
	c = certOf(rec)
	c.PEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rec.DER}))
	for _, e := range events {
		c.Events = append(c.Events, caEvent{e.At, e.Op, e.Actor, e.Detail})
	}
	return c, nil
}

func (c caCert) words(w io.Writer) {
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

func caList(f *caFlags) *cobra.Command {
	var q certdb.Query
	var state, after string
	cmd := &cobra.Command{Use: "list NAME", Short: "List a CA's certificates, the newest first",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withCA(cmd, f, args[0], func(ctx context.Context, a *ca.Authority) error {
				if err := fillQuery(ctx, a, &q, state, after); err != nil {
					return err
				}
				list, err := a.DB().List(ctx, q)
				if err != nil {
					return err
				}
				certs := make([]caCert, 0, len(list))
				for _, r := range list {
					certs = append(certs, certOf(r))
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
	fl.StringVar(&q.UserID, "user", "", "of this user only")
	fl.StringVar(&q.CUID, "cuid", "", "of this token only, 20 hex digits")
	fl.StringVar(&q.Profile, "profile", "", "of this profile only")
	fl.StringVar(&state, "state", "", "valid, revoked, revoked_on_hold or to_be_signed only")
	fl.StringVar(&after, "after", "", "go on after the certificate of this serial number")
	fl.IntVar(&q.Limit, "limit", 100, "at most so many, up to "+strconv.Itoa(certdb.MaxPage))
	return cmd
}

func fillQuery(ctx context.Context, a *ca.Authority, q *certdb.Query, state, after string) error {
	q.CUID = strings.ToUpper(q.CUID)
	for s, name := range stateNames {
		if name == state {
			q.State = &s
		}
	}
	if state != "" && q.State == nil {
		return usageError{fmt.Errorf("--state %q is none", state)}
	}
	if after == "" {
		return nil
	}
	serial, err := connector.ParseSerial(after)
	if err != nil {
		return usageError{fmt.Errorf("--after: %w", err)}
	}
	rec, err := a.DB().Certificate(ctx, serial)
	q.After = &rec
	return err
}

func caIssue(f *caFlags) *cobra.Command {
	var csr, profileID, user, id, out string
	var attrs map[string]string
	cmd := &cobra.Command{Use: "issue NAME --csr FILE --profile ID",
		Short: "Issue a certificate for a signing request", Args: usage(cobra.ExactArgs(1)),
		Long: "Issue a certificate for a signing request in PEM or DER form, whose signature proves\n" +
			"that its maker has the key. The profile says what becomes of its names.",
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readIn(cmd, csr)
			if err != nil {
				return err
			}
			request, err := ca.ParseCSR(text)
			if err != nil {
				return err
			}
			r := request.Request(profileID)
			r.UserID, r.RequestID = user, id
			for name, v := range attrs {
				r.Attributes[strings.ToLower(name)] = v
			}
			return withCA(cmd, f, args[0], func(ctx context.Context, a *ca.Authority) error {
				issued, err := a.Enroll(ctx, r)
				if err != nil {
					return err
				}
				return writeOut(cmd, out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
					Bytes: issued.DER}))
			})
		}}
	fl := cmd.Flags()
	fl.StringVar(&csr, "csr", "", "the request, - for standard input")
	fl.StringVar(&profileID, "profile", "caServerCert", "profile to issue by")
	fl.StringVar(&user, "user", "", "the user's id, for profiles that name one")
	fl.StringToStringVar(&attrs, "attr", nil, "values for profiles, as mail=anna@example.com")
	fl.StringVar(&id, "request-id", "", "asking again with the same id gives the same certificate")
	fl.StringVar(&out, "out", "", "new file; standard output when not stated")
	_ = cmd.MarkFlagRequired("csr") // the flag is there
	return cmd
}

// changeCommand makes a command that changes the state of certificates.
func changeCommand(f *caFlags, use, short string,
	do func(context.Context, *ca.Authority, connector.Serial) error,
) *cobra.Command {
	return &cobra.Command{Use: use + " NAME SERIAL...", Short: short,
		Args: usage(cobra.MinimumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withCA(cmd, f, args[0], func(ctx context.Context, a *ca.Authority) error {
				for _, text := range args[1:] {
					serial, err := connector.ParseSerial(text)
					if err != nil {
						return usageError{err}
					}
					if err := do(ctx, a, serial); err != nil {
						return err
					}
					fmt.Fprintln(cmd.ErrOrStderr(), serial, use)
				}
				return nil
			})
		}}
}

func caRevoke(f *caFlags) *cobra.Command {
	var reason string
	cmd := changeCommand(f, "revoke", "Revoke certificates for good",
		func(ctx context.Context, a *ca.Authority, s connector.Serial) error {
			r, err := parseReason(reason)
			if err != nil {
				return usageError{err}
			}
			return a.Revoke(ctx, connector.RevokeRequest{Serial: s, Reason: r})
		})
	cmd.Flags().StringVar(&reason, "reason", "unspecified",
		"number or name: unspecified, keyCompromise, superseded, cessationOfOperation, ...")
	return cmd
}

// parseReason reads a reason for revocation by number or name; a hold has a command of its own.
func parseReason(text string) (connector.Reason, error) {
	for r := connector.ReasonUnspecified; r <= connector.ReasonAACompromise; r++ {
		if r.CanRevoke() && r != connector.ReasonCertificateHold &&
			(strings.EqualFold(r.String(), text) || strconv.Itoa(int(r)) == text) {
			return r, nil
		}
	}
	return 0, fmt.Errorf("--reason %q is none", text)
}

func caHold(f *caFlags) *cobra.Command {
	return changeCommand(f, "hold", "Put certificates on hold",
		func(ctx context.Context, a *ca.Authority, s connector.Serial) error {
			return a.Revoke(ctx, connector.RevokeRequest{Serial: s,
				Reason: connector.ReasonCertificateHold})
		})
}

func caRelease(f *caFlags) *cobra.Command {
	return changeCommand(f, "release", "End the hold of certificates",
		func(ctx context.Context, a *ca.Authority, s connector.Serial) error {
			return a.Release(ctx, s)
		})
}

// crlMade is a revocation list as commands show it.
type crlMade struct {
	Number     int64     `json:"number"`
	Base       int64     `json:"base,omitempty"`
	Entries    int       `json:"entries"`
	ThisUpdate time.Time `json:"thisUpdate"`
	NextUpdate time.Time `json:"nextUpdate"`
}

func (c crlMade) words(w io.Writer) {
	fmt.Fprintf(w, "number\t%d\n", c.Number)
	if c.Base != 0 {
		fmt.Fprintf(w, "adds to\t%d\n", c.Base)
	}
	fmt.Fprintf(w, "entries\t%d\nissued\t%s\ngood until\t%s\n", c.Entries,
		c.ThisUpdate.Format(time.DateTime), c.NextUpdate.Format(time.DateTime))
}
