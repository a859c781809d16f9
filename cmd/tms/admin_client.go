package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"tokenwright/tms/admin"
	"tokenwright/tms/instance"
)

// Exit codes of what a running server refuses.
const (
	exitNotFound  = 5 // there is no such thing
	exitForbidden = 6 // whoever asks may not
)

// adminHelp tells how commands reach a running server.
const adminHelp = `The command asks the running server: over the Unix socket of the instance at --dir (who may,
is told by the account: root and whoever runs the server may do everything), or with --url over HTTPS
at the address of admin.listen, with the certificate of --as. Roles are stated in CS.cfg:

  admin.users.list=olga
  admin.users.olga.fingerprint=<SHA-256>   # or .subject=CN=…, or .account=<name of this machine>
  admin.users.olga.roles=agent,operator # administrator, agent, operator`

// adminFlags say where a running server is, and as whom it is asked.
type adminFlags struct{ dir, socket, url, as, ca string }

func (a *adminFlags) add(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&a.dir, "dir", ".", "the instance's directory, for its socket")
	f.StringVar(&a.socket, "socket", "", "path of the server's Unix socket")
	f.StringVar(&a.url, "url", "", "https://host:port of the server's administration")
	f.StringVar(&a.as, "as", "", "certificate and key for --url: a path without .crt and .key")
	f.StringVar(&a.ca, "ca", "", "certificate that the server is trusted by; ca.crt beside --as")
}

// client makes the way to the server of a subsystem (tps, ca1).
func (a *adminFlags) client(subsystem string) (*admin.Client, error) {
	if a.url == "" {
		path := a.socket
		if path == "" {
			var err error
			if path, err = instance.SocketOf(a.dir, subsystem); err != nil {
				return nil, exitError{err, exitInstance}
			}
		}
		if path == "" {
			return nil, usageError{errors.New("--url: want the server's address, as it has no socket")}
		}
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("the server does not run, or has its socket elsewhere: %w", err)
		}
		return admin.NewSocketClient(path), nil
	}
	show, err := showing(a.as, a.ca)
	if err != nil {
		return nil, err
	}
	c, err := admin.NewClient(a.url, show)
	if err != nil {
		return nil, usageError{fmt.Errorf("--url: %w", err)}
	}
	return c, nil
}

// showing makes the way to a server by TLS, with the certificate of who asks.
func showing(as, caFile string) (*tls.Config, error) {
	if as == "" {
		return nil, usageError{errors.New("--as: want the certificate to show")}
	}
	pair, err := tls.LoadX509KeyPair(as+".crt", as+".key")
	if err != nil {
		return nil, usageError{fmt.Errorf("--as: %w", err)}
	}
	if caFile == "" {
		caFile = filepath.Join(filepath.Dir(as), "ca.crt")
	}
	text, err := os.ReadFile(caFile)
	if err != nil {
		return nil, usageError{fmt.Errorf("--ca: %w", err)}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, usageError{fmt.Errorf("--ca: %s holds no certificate in PEM form", caFile)}
	}
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair},
		MinVersion: tls.VersionTLS12}, nil
}

// with opens the way to the server for one command. What is refused gives exit codes of its own.
func (a *adminFlags) with(cmd *cobra.Command, subsystem string,
	do func(context.Context, *admin.Client) error,
) error {
	c, err := a.client(subsystem)
	if err != nil {
		return err
	}
	err = errors.Join(do(cmd.Context(), c), c.Close())
	switch admin.StatusOf(err) {
	case http.StatusUnauthorized, http.StatusForbidden:
		return exitError{err, exitForbidden}
	case http.StatusNotFound:
		return exitError{err, exitNotFound}
	}
	return err
}
