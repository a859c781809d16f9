package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tokenwright/tms/connector"
	"tokenwright/tms/instance"
)

const ocspHelp = `Make an OCSP responder apart from the CAs that it answers for.

A CA answers OCSP by itself, where its publish.listen says. A responder apart from it keeps the CA's
key away from where everybody may ask: it has keys of its own, which the CAs certify for this alone,
for a year. It reads the CAs' databases and never writes to them; or, on another machine, it fetches
their revocation lists (create --from-list). One responder answers for several CAs.

It answers at /ocsp/ee/ocsp, over HTTPS to clients with a certificate, and over plain HTTP, as is usual
for OCSP: answers are signed. Only this machine reaches plain HTTP unless --public-listen says
otherwise. Answers about all certificates are signed before anybody asks, and anew in time.`

const ocspExample = `  tms ocsp create --dir /srv/tms --host ocsp.example.com --public-listen :8082
  tms serve ocsp --dir /srv/tms
  openssl ocsp -issuer ca.pem -cert user.pem -url http://ocsp.example.com:8082/ocsp/ee/ocsp
  tms ocsp certify --dir /srv/tms      # once a year; a running responder takes it up`

func ocspCommand() *cobra.Command {
	var f caFlags
	cmd := &cobra.Command{Use: "ocsp", Short: "Make an OCSP responder apart from its CAs",
		Long: ocspHelp, Example: ocspExample, Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.PersistentFlags().StringVar(&f.dir, "dir", ".", "the instance's directory")
	cmd.PersistentFlags().BoolVar(&f.asJSON, "json", false, "answer in JSON")
	cmd.AddCommand(ocspCreate(&f), ocspCertify(&f))
	return cmd
}

func ocspCreate(f *caFlags) *cobra.Command {
	var o instance.OCSPOptions
	cmd := &cobra.Command{Use: "create", Short: "Make the responder of an instance",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var made instance.OCSPMade
			err := slowly(cmd.ErrOrStderr(), "Making keys, and having the CAs certify them", func() (err error) {
				made, err = instance.CreateOCSP(connector.WithCaller(cmd.Context(), operator()), f.dir, o)
				return err
			})
			if errors.Is(err, instance.ErrExists) {
				return exitError{err, exitExists}
			}
			if err != nil {
				return err
			}
			return f.say(cmd.OutOrStdout(), made, func(w io.Writer) {
				fmt.Fprintf(w, "Made %s\n\nanswers for\t%s\nat\t%s\ncertified until\t%s\n\nNext\n\n", made.Dir,
					strings.Join(made.CAs, ", "), made.URL, made.Ends.Format(time.DateOnly))
				for _, n := range made.Next {
					fmt.Fprintf(w, "  %s\n", n)
				}
			})
		}}
	fl := cmd.Flags()
	fl.StringSliceVar(&o.CAs, "ca", nil, "CAs to answer for; all of the instance when not stated")
	fl.BoolVar(&o.FromList, "from-list", false, "go by the CAs' revocation lists, not their databases")
	fl.StringVar(&o.Host, "host", "localhost", "name or address by which others reach it")
	fl.StringVar(&o.Listen, "listen", "127.0.0.1:8447", "host:port for clients with certificates")
	fl.StringVar(&o.PublicListen, "public-listen", "127.0.0.1:8082", "host:port for everybody, plain HTTP")
	return cmd
}

func ocspCertify(f *caFlags) *cobra.Command {
	return &cobra.Command{Use: "certify [CA...]", Args: usage(cobra.ArbitraryArgs),
		Short: "Have the CAs certify the responder's keys anew",
		Long: `Have the CAs certify the responder's keys anew, for a year. A responder that runs takes the
certificates up within a minute. One that was moved to another machine needs copies of them:
ocsp/certs/<ca>-ocsp.crt.`,
		RunE: func(cmd *cobra.Command, names []string) error {
			until, err := instance.CertifyOCSP(connector.WithCaller(cmd.Context(), operator()), f.dir, names)
			if err != nil {
				return exitError{err, exitInstance}
			}
			return f.say(cmd.OutOrStdout(), map[string]time.Time{"certifiedUntil": until},
				func(w io.Writer) { fmt.Fprintf(w, "certified until\t%s\n", until.Format(time.DateOnly)) })
		}}
}
