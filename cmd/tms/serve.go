package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"tokenwright/tms/instance"
)

const serveHelp = `Run an instance: all of its subsystems, or the one that is named; "ca" names all of its CAs.

In one process the TPS asks TKS, CAs and KRA directly; apart from each other it asks over HTTPS, with
certificates on both sides. Each listens where service.listen of its CS.cfg says; TKS and KRA take
only clients that their tps.list names, a CA those of its agents.list. A CA offers revocation lists and
OCSP to everybody, over plain HTTP where publish.listen says, and so does an OCSP responder apart from
its CAs (tms ocsp --help). GET /healthz answers 200 while a subsystem can do its work.

TPS and CAs are administered while they run: over the Unix socket admin.sock in their directories, and
where admin.listen says, over HTTPS with client certificates (tms admin --help, tms token --help).

What operations will not find is warned about at the start: a connection, a profile, a load file.

--plain adds a listener without TLS for the TPS, on a loopback address only: for the old test
client, which knows nothing else.

Keys of CS.cfg that nothing reads are warned about. On SIGINT or SIGTERM running sessions may
finish for service.shutdownTimeout (30 s); a second signal ends the process at once.`

const serveExample = `  tms serve --dir /srv/tms
  tms serve tks --dir /srv/tms
  tms serve ca --dir /srv/tms
  tms serve ocsp --dir /srv/tms
  tms serve tps --dir /srv/tms --plain 127.0.0.1:8080`

type serveOptions struct {
	dir, plain string
	level      string
	format     string
}

func serveCommand() *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use: "serve [tks|tps|kra|ocsp|ca|ca1...]", Short: "Run an instance", Long: serveHelp, Example: serveExample,
		Args:      usage(cobra.MatchAll(cobra.MaximumNArgs(1), knownSubsystem)),
		ValidArgs: []string{instance.TKS, instance.TPS, instance.KRA, instance.CA, instance.OCSP},
		RunE: func(cmd *cobra.Command, args []string) error {
			log, err := newLog(cmd.ErrOrStderr(), o.level, o.format)
			if err != nil {
				return usageError{err}
			}
			return serve(cmd.Context(), log, o, args)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "dir", ".", "the instance's directory")
	f.StringVar(&o.plain, "plain", "", "host:port on loopback for plain HTTP of the TPS")
	f.StringVar(&o.level, "log-level", "info", "least level that is logged: debug, info, warn, error")
	f.StringVar(&o.format, "log-format", "text", "text or json")
	return cmd
}

// knownSubsystem takes names of subsystems, whether or not an instance has them.
func knownSubsystem(cmd *cobra.Command, args []string) error {
	if len(args) == 1 && instance.IsCA(args[0]) {
		return nil
	}
	return cobra.OnlyValidArgs(cmd, args)
}

// serve opens and serves until ctx ends.
func serve(ctx context.Context, log *slog.Logger, o serveOptions, subsystems []string) (err error) {
	opts := instance.Options{Log: log, Subsystems: subsystems}
	if o.plain != "" {
		opts.Override = map[string]map[string]string{
			instance.TPS: {"service.listenPlain": o.plain}}
	}
	i, err := instance.Open(ctx, o.dir, opts)
	if err != nil {
		return exitError{err, exitInstance}
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	return i.Serve(ctx)
}

// newLog gives a logger by the words of the command line.
func newLog(out io.Writer, level, format string) (*slog.Logger, error) {
	o := &slog.HandlerOptions{}
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q: want debug, info, warn or error", level)
	}
	o.Level = l
	switch strings.ToLower(format) {
	case "text":
		return slog.New(slog.NewTextHandler(out, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(out, o)), nil
	}
	return nil, fmt.Errorf("--log-format %q: want text or json", format)
}
