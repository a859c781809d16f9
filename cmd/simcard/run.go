package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"tokenwright/simcard"
	"tokenwright/vpcd"
)

// defaultReader is where vsmartcard's driver for pcscd listens for its first reader.
const defaultReader = "127.0.0.1:35963"

func runCommand() *cobra.Command {
	var f cardFlags
	var addr string
	var remote bool
	cmd := &cobra.Command{
		Use:   "run --stock NAME",
		Short: "Put a card into a virtual reader",
		Long: `Connects a card to a virtual reader: vsmartcard's reader driver for pcscd, or anything
else that speaks its protocol, such as "esc --vpcd". Connects again when the reader goes away
and comes back. Ctrl-C takes the card out.`,
		Example: "  simcard run --stock gp211-scp01 --state card1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.open()
			if err != nil {
				return err
			}
			err = serve(cmd.Context(), c, addr, remote, f.state, cmd.OutOrStdout(), cmd.ErrOrStderr())
			if cerr := c.Close(); err == nil {
				err = cerr
			}
			return err
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().StringVar(&addr, "vpcd", defaultReader, "address of the reader")
	cmd.Flags().BoolVar(&remote, "allow-remote", false,
		"connect to a reader on another machine; nothing on the way is authenticated or encrypted")
	return cmd
}

func serve(
	ctx context.Context, c *simcard.Card, addr string, remote bool, state string,
	out, errOut io.Writer,
) error {
	introduce(out, c, state, addr)
	err := vpcd.Dial(ctx, addr, c, vpcd.Options{
		AllowRemote: remote,
		OnConnect:   func(r net.Addr) { _, _ = fmt.Fprintf(out, "in the reader at %v\n", r) },
		Log:         slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if ctx.Err() == nil {
		return err
	}
	_, _ = fmt.Fprintln(out, "the card is out")
	return nil
}

// introduce says what card this is and what to do with it.
func introduce(out io.Writer, c *simcard.Card, state, addr string) {
	if state == "" {
		state = "in memory, gone at the end (--state FILE keeps it)"
	}
	s := c.Stock()
	_, _ = fmt.Fprintf(out, `%s: %s
ATR    %X
CUID   %v
KDD    %v
state  %s
reader %s

Next, in another terminal:
  opensc-tool -a -n -s 80CA9F7F00     or     esc readers
Ctrl-C takes the card out.

`, s.Name, s.Title, c.ATR(), c.CUID(), c.KDD(), state, addr)
}
