package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tokenwright/tms/admin"
	"tokenwright/tms/admin/caadmin"
	"tokenwright/tms/connector"
	"tokenwright/tms/instance"
	"tokenwright/tms/keystore"
)

const caHelp = `Make and administer certificate authorities.

An instance may have several, each in a directory of its own: ca1, ca2, ... create, install, connect
and the list of a root work on the instance's files. The other commands ask the CA that runs, over its
Unix socket, or with --url over HTTPS with the certificate of --as; when none runs they work on the
files too. Either way what they do shows at once. Serial numbers are written in hex.

Who may: over the socket root and whoever runs the server, and accounts that are listed; over HTTPS,
at the address of admin.listen, the certificates that are. Everybody who is listed may look; issue,
revoke, hold and release are for agents, revocation lists for administrators as well:

  admin.listen=127.0.0.1:8449
  admin.users.list=olga
  admin.users.olga.fingerprint=<SHA-256>   # or .subject=CN=…, or .account=<name of this machine>
  admin.users.olga.roles=agent          # administrator, agent, operator`

const caExample = `  tms ca create ca1 --dir /srv/tms --host pki.example.com
  tms ca create ca2 --dir /srv/tms --external-root --subject "CN=Cards,O=Example,C=DE"
  tms ca install ca2 --dir /srv/tms --cert signed.pem
  tms ca issue ca1 --dir /srv/tms --csr www.csr --profile caServerCert
  tms ca list ca1 --url https://pki.example.com:8449 --as ./olga --user alice
  tms ca revoke ca1 4f2a… --dir /srv/tms --reason keyCompromise
  tms ca crl ca1 --dir /srv/tms`

const caCreateHelp = `Make a certificate authority in a directory of its own, DIR/NAME: key, certificate,
the key of its OCSP responder, configuration, and examples of profiles. A copy of one, changed, in
NAME/profiles is a profile of the CA's own.

A root of its own is made with it, in NAME/root, to be taken to a safe place afterwards. With
--external-root there is none: NAME/ca.csr is to be certified elsewhere, and tms ca install takes
what comes back. The TPS beside it is told where the CA is.

--host and --public-listen stand in every certificate, as the place of revocation lists and OCSP:
they have to be right before the first one is issued.`

// caFlags are what all commands about an authority have.
type caFlags struct {
	dir    string
	asJSON bool
}

// caTarget says where a CA is.
type caTarget struct {
	caFlags
	at adminFlags
}

func caCommand() *cobra.Command {
	var f caTarget
	cmd := &cobra.Command{Use: "ca", Short: "Make and administer certificate authorities",
		Long: caHelp, Example: caExample, Args: usage(cobra.NoArgs),
		RunE:             func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRun: func(*cobra.Command, []string) { f.dir = f.at.dir }}
	f.at.add(cmd)
	cmd.PersistentFlags().BoolVar(&f.asJSON, "json", false, "answer in JSON")
	cmd.AddCommand(caCreate(&f.caFlags), caInstall(&f), caConnect(&f.caFlags), caShow(&f), caList(&f),
		caIssue(&f), caRevoke(&f), caHold(&f), caRelease(&f), caCRL(&f), caChain(&f))
	return cmd
}

// withCA reaches a CA for one command: the one that runs, else its files.
func withCA(cmd *cobra.Command, f *caTarget, name string,
	do func(context.Context, caadmin.Authority) error,
) error {
	if !instance.IsCA(name) {
		return usageError{fmt.Errorf("%q is no name of a CA: want ca and a number, as ca1", name)}
	}
	remote := f.at.url != "" || f.at.socket != ""
	if !remote {
		var err error
		if remote, err = isServed(cmd.Context(), f.dir, name); err != nil {
			return exitError{err, exitInstance}
		}
	}
	if !remote {
		return withCAFiles(cmd, f, name, do)
	}
	return f.at.with(cmd, name, func(ctx context.Context, c *admin.Client) error {
		a := caadmin.NewClient(c)
		facts, err := a.Facts(ctx)
		if err == nil && facts.Name != name {
			err = fmt.Errorf("the server is that of %.20q, not of %s", facts.Name, name)
		}
		if err != nil {
			return err
		}
		return do(ctx, a)
	})
}

// isServed says whether a CA of an instance answers at its socket.
func isServed(ctx context.Context, dir, name string) (bool, error) {
	path, err := instance.SocketOf(dir, name)
	if err != nil || path == "" {
		return false, err
	}
	if _, err := os.Stat(path); err != nil {
		return false, nil //nolint:nilerr // none is there
	}
	c := admin.NewSocketClient(path)
	_, err = caadmin.NewClient(c).Facts(ctx)
	dead := errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist)
	return !dead, c.Close()
}

// withCAFiles opens a CA for one command.
func withCAFiles(cmd *cobra.Command, f *caTarget, name string,
	do func(context.Context, caadmin.Authority) error,
) (err error) {
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{
		Level: slog.LevelWarn}))
	i, err := instance.Open(cmd.Context(), f.dir, instance.Options{Log: log,
		Subsystems: []string{name}})
	if err != nil {
		return exitError{err, exitInstance}
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	err = do(connector.WithCaller(cmd.Context(), operator()), i.AdministerCA(name))
	if errors.Is(err, connector.ErrCANotFound) {
		return exitError{err, exitNotFound}
	}
	return err
}

// operator names who is at the command line, for the records.
func operator() string {
	if u, err := user.Current(); err == nil {
		return "tms:" + u.Username
	}
	return "tms"
}

// say writes v as JSON, or as words.
func (f *caFlags) say(out io.Writer, v any, words func(io.Writer)) error {
	if f.asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	words(w)
	return w.Flush()
}

// writeOut writes to a file that must not be there, or to the standard output when none is named.
func writeOut(cmd *cobra.Command, path string, data []byte) error {
	if path == "" {
		_, err := cmd.OutOrStdout().Write(data)
		return err
	}
	//nolint:gosec // certificates and lists are for everybody
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}

// readIn reads a file of at most a megabyte, or the standard input for "-".
func readIn(cmd *cobra.Command, path string) ([]byte, error) {
	const limit = 1 << 20
	in := cmd.InOrStdin()
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err == nil && len(data) > limit {
		err = fmt.Errorf("%s: more than %d bytes", path, limit)
	}
	return data, err
}

func caCreate(f *caFlags) *cobra.Command {
	var o instance.CAOptions
	var key string
	cmd := &cobra.Command{Use: "create NAME", Args: usage(cobra.ExactArgs(1)),
		Short: "Make a CA: with a root of its own, or a request for another's", Long: caCreateHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name, o.Key = args[0], keystore.Spec(key)
			var made instance.CAMade
			err := slowly(cmd.ErrOrStderr(), "Making keys, and trying out the profiles", func() (err error) {
				made, err = instance.CreateCA(cmd.Context(), f.dir, o)
				return err
			})
			if errors.Is(err, instance.ErrExists) {
				return exitError{err, exitExists}
			}
			if err != nil {
				return err
			}
			return f.say(cmd.OutOrStdout(), made, func(w io.Writer) {
				fmt.Fprintf(w, "Made %s\n\nsubject\t%s\npublished at\t%s\n", made.Dir, made.Subject,
					made.URL)
				fmt.Fprint(w, "\nNext\n\n")
				for _, n := range made.Next {
					fmt.Fprintf(w, "  %s\n", n)
				}
			})
		}}
	fl := cmd.Flags()
	fl.StringVar(&o.Subject, "subject", "", "its name, e.g. CN=Token CA,O=Example,C=DE")
	fl.StringVar(&key, "key", "p384", "kind of its key: rsa2048, rsa3072, rsa4096, p256, p384")
	fl.StringVar(&o.RootSubject, "root-subject", "", "name of the root that is made with it")
	fl.BoolVar(&o.ExternalRoot, "external-root", false, "make no root but a request for another's")
	fl.IntVar(&o.Years, "years", 10, "how long its certificate is good; a root's twice that")
	fl.StringVar(&o.Host, "host", "localhost", "name by which everybody reaches what it publishes")
	fl.StringVar(&o.Listen, "listen", "127.0.0.1:8446", "host:port for clients with certificates")
	fl.StringVar(&o.PublicListen, "public-listen", ":8081", "host:port for everybody, plain HTTP")
	return cmd
}

func caInstall(f *caTarget) *cobra.Command {
	var cert string
	cmd := &cobra.Command{Use: "install NAME --cert FILE", Args: usage(cobra.ExactArgs(1)),
		Short: "Install the certificate that another root gave a CA, with those above it",
		Long: `Install the certificate that another root gave a CA, from a file in PEM form: its own
first, then those above it up to the root. The CA's own certificate is renewed the same way. Whatever
does not fit its key, or one another, is refused. The TPS beside it is told where the CA is.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readIn(cmd, cert)
			if err != nil {
				return err
			}
			if err := instance.InstallCA(cmd.Context(), f.dir, args[0], text); err != nil {
				return err
			}
			return withCAFiles(cmd, f, args[0], func(ctx context.Context, a caadmin.Authority) error {
				return sayFacts(ctx, f, cmd, a)
			})
		}}
	cmd.Flags().StringVar(&cert, "cert", "", "PEM file, - for standard input")
	_ = cmd.MarkFlagRequired("cert") // the flag is there
	return cmd
}

func caConnect(f *caFlags) *cobra.Command {
	return &cobra.Command{Use: "connect NAME", Args: usage(cobra.ExactArgs(1)),
		Short: "Tell the TPS where a CA is, if creating it did not",
		Long: `Tell the TPS of the same instance where a CA is (tps.connector.NAME, tps.connCAList).
What it was told already stays as it is. create and install do this by themselves;
connect is for when that was cut off, or undone.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := instance.ConnectCA(f.dir, args[0]); err != nil {
				return exitError{err, exitInstance}
			}
			return sayConnected(f, cmd, args[0])
		}}
}

func caChain(f *caTarget) *cobra.Command {
	var out string
	cmd := &cobra.Command{Use: "chain NAME", Short: "Give a CA's certificate and those above it",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withCA(cmd, f, args[0], func(ctx context.Context, a caadmin.Authority) error {
				facts, err := a.Facts(ctx)
				if err != nil {
					return err
				}
				return writeOut(cmd, out, []byte(facts.ChainPEM))
			})
		}}
	cmd.Flags().StringVar(&out, "out", "", "new file; standard output when not stated")
	return cmd
}

func caCRL(f *caTarget) *cobra.Command {
	var out string
	var delta, root, latest bool
	cmd := &cobra.Command{Use: "crl NAME", Short: "Issue a revocation list now",
		Args: usage(cobra.ExactArgs(1)),
		Long: `Issue a revocation list now, and publish it. A CA that is served issues its lists by itself,
by ca.crl.MasterCRL.* of its CS.cfg; only the root that was made with a CA needs to be asked, once a
year: --root, with the directory of the root in its place.`,
		Example: `  tms ca crl ca1 --dir /srv/tms --out ca1.crl
  tms ca crl ca1 --dir /srv/tms --latest
  tms ca crl ca1 --dir /srv/tms --root`,
		RunE: func(cmd *cobra.Command, args []string) error {
			say := func(list caadmin.CRL) error {
				if out != "" {
					if err := writeOut(cmd, out, list.DER); err != nil {
						return err
					}
				}
				return f.say(cmd.OutOrStdout(), list, func(w io.Writer) { sayCRL(w, list) })
			}
			if root {
				list, err := instance.IssueRootCRL(cmd.Context(), f.dir, args[0])
				if err != nil {
					return err
				}
				return say(caadmin.CRL{Number: list.Number, Entries: list.Entries, DER: list.DER,
					ThisUpdate: list.ThisUpdate, NextUpdate: list.NextUpdate})
			}
			return withCA(cmd, f, args[0], func(ctx context.Context, a caadmin.Authority) error {
				issue := a.IssueCRL
				if latest {
					issue = a.CRL
				}
				list, err := issue(ctx, delta)
				if err != nil {
					return err
				}
				return say(list)
			})
		}}
	cmd.Flags().BoolVar(&delta, "delta", false, "a delta to the latest full list")
	cmd.Flags().BoolVar(&root, "root", false, "the list of the root that was made with the CA")
	cmd.Flags().BoolVar(&latest, "latest", false, "issue none, show the latest")
	cmd.Flags().StringVar(&out, "out", "", "new file for the list, in DER")
	cmd.MarkFlagsMutuallyExclusive("root", "delta")
	cmd.MarkFlagsMutuallyExclusive("root", "latest")
	return cmd
}
