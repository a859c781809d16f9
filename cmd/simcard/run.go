package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tokenwright/simcard"
	"tokenwright/simcard/fault"
	"tokenwright/vpcd"
)

// defaultReader is where vsmartcard's driver for pcscd listens for its first reader.
const defaultReader = "127.0.0.1:35963"

func runCommand() *cobra.Command {
	var f cardFlags
	var m manners
	var addr string
	var remote bool
	cmd := &cobra.Command{
		Use:   "run --stock NAME",
		Short: "Put a card into a virtual reader",
		Long: `Connects a card to a virtual reader: vsmartcard's reader driver for pcscd, or
anything else that speaks its protocol, such as "esc --vpcd". Connects again when
the reader goes away and comes back. Ctrl-C takes the card out.

The card is rude, so that programs that are tried on it meet what the specification lets
cards do: it pauses before it answers, and its FCI holds elements that nobody knows.
--polite silences that.`,
		Example: "  simcard run --stock gp211-scp01 --state card1\n" +
			"  simcard run --stock sce7-scp03 --vpcd 35999    # for: esc status --vpcd 35999",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			addr, err := readerAddress(addr)
			if err != nil {
				return usageError{err}
			}
			f.change = m.of
			c, err := f.open()
			if err != nil {
				return err
			}
			behaved, err := m.apply(c, f.mannersSeed())
			if err != nil {
				return usageError{errors.Join(err, c.Close())}
			}
			err = serve(cmd.Context(), c, behaved, addr, remote, f.state, cmd.OutOrStdout(), cmd.ErrOrStderr())
			if cerr := c.Close(); err == nil {
				err = cerr
			}
			return err
		},
	}
	f.register(cmd.Flags())
	m.register(cmd.Flags())
	cmd.Flags().StringVar(&addr, "vpcd", defaultReader, "`address` of the reader, [HOST:]PORT")
	cmd.Flags().BoolVar(&remote, "allow-remote", false,
		"connect to a reader on another machine; nothing on the way is authenticated or encrypted")
	return cmd
}

// readerAddress takes HOST:PORT, or a port of this machine.
func readerAddress(s string) (string, error) {
	if !strings.Contains(s, ":") {
		s = "127.0.0.1:" + s
	}
	host, port, err := net.SplitHostPort(s)
	if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || n == 0 || host == "" {
		return "", fmt.Errorf("--vpcd %q: want [HOST:]PORT", s)
	}
	return s, nil
}

// longestPause is how long a reader that comes up waits for the card at most.
const longestPause = 400 * time.Millisecond

func serve(
	ctx context.Context, c *simcard.Card, behaved fault.Card, addr string, remote bool,
	state string, out, errOut io.Writer,
) error {
	introduce(out, c, state, addr)
	told := placeTold{out: out, addr: addr}
	err := vpcd.Dial(ctx, addr, behaved, vpcd.Options{
		AllowRemote: remote, MaxBackoff: longestPause,
		OnConnect: func(net.Addr) { told.say("in the reader at " + addr) },
		OnAway:    told.away,
		Log:       slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if ctx.Err() == nil {
		return err
	}
	_, _ = fmt.Fprintln(out, "the card is out")
	return nil
}

// placeTold tells where the card is, when that changes.
type placeTold struct {
	out  io.Writer
	addr string
	last string
}

func (p *placeTold) say(text string) {
	if text != p.last {
		_, _ = fmt.Fprintln(p.out, text)
	}
	p.last = text
}

func (p *placeTold) away(made bool, err error) {
	if made {
		p.say("out of the reader: it went away; waiting for it")
	} else if p.last == "" {
		p.say(fmt.Sprintf("no reader yet, trying on (%v)", err))
	}
}

// introduce says what card this is and what to do with it.
func introduce(out io.Writer, c *simcard.Card, state, addr string) {
	if state == "" {
		state = "in memory, gone at the end (--state FILE keeps it)"
	}
	s := c.Stock()
	_, port, _ := net.SplitHostPort(addr)
	_, _ = fmt.Fprintf(out, `%s: %s
ATR    %X
CUID   %v
KDD    %v
state  %s
reader %s

Next, in another terminal:
  %-25s where esc is the reader
  %-25s where pcscd is; or: opensc-tool -a -n -s 80CA9F7F00
Ctrl-C takes the card out.

`, s.Name, s.Title, c.ATR(), c.CUID(), c.KDD(), state, addr,
		"esc status --vpcd "+port, "esc readers")
}
