package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tokenwright/tms/esc"
)

func newStatus(d desk) *cobra.Command {
	var (
		where  deviceFlags
		traces traceFlags
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what a card tells about itself",
		Long: `status shows the facts of a card: its identity, the secure channel protocols
and key versions of its card manager, and the applet on it. It changes nothing
and needs no password.

State is "no applet" for a blank card, "formatted" for one with an applet and
nothing on it, "personalized" for an enrolled one, whose certificates are shown.
Nobody has verified them: that is for whoever relies on them.`,
		Example: `  esc status
  esc status --reader "Virtual PCD 00 00"
  esc status --vpcd 35963 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := where.check(); err != nil {
				return err
			}
			return done(showStatus(cmd.Context(), d, where, traces, asJSON))
		},
	}
	where.add(cmd.Flags())
	traces.add(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

// statusView is a card's status and where the card is.
type statusView struct {
	Reader string `json:"reader"`
	esc.CardStatus
	esc.CardContent
	// Unread is why certificates are not shown of a card that should have some.
	Unread string `json:"unread,omitempty"`
}

func showStatus(ctx context.Context, d desk, where deviceFlags, traces traceFlags,
	asJSON bool,
) (err error) {
	card, err := where.open(ctx, d.err)
	if err != nil {
		return err
	}
	defer func() { _ = card.Close() }()
	tr, err := traces.open(card)
	if err != nil {
		return err
	}
	defer func() { err = tr.close(err) }()
	s, err := esc.ReadStatus(ctx, tr, card.ATR())
	if err != nil {
		return err
	}
	view := statusView{Reader: card.Reader(), CardStatus: s}
	if s.State == esc.StatePersonalized {
		view.CardContent, err = esc.ReadContent(ctx, tr)
		if errors.Is(err, esc.ErrCard) {
			return err
		}
		if err != nil {
			view.Unread = err.Error()
		}
	}
	if asJSON {
		return writeJSON(d.out, view)
	}
	return view.print(d.out)
}

func (s statusView) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(t, "%s\t%s\n", name, printable(value))
		}
	}
	row("Reader", s.Reader)
	row("ATR", s.ATR)
	row("CUID", s.CUID)
	row("MSN", s.MSN)
	row("Card manager", s.CardManager)
	row("Protocols", strings.Join(s.Protocols, ", "))
	row("Key versions", strings.Join(s.KeyVersions, ", "))
	row("State", s.State)
	row("Applet version", s.AppletVersion)
	row("Life cycle", s.LifeCycle)
	if s.AppletVersion != "" {
		row("Free memory", fmt.Sprintf("%d bytes", s.FreeMemory))
	}
	row("Issuer URL", s.IssuerURL)
	row("Token name", s.TokenName)
	row("Certificates", s.Unread)
	for _, c := range s.Certificates {
		row("Certificate", fmt.Sprintf("%s, %s, until %s, serial %s, for %s", c.Label, c.Key,
			c.NotAfter.Local().Format(time.DateOnly), c.Serial, c.Subject))
	}
	return t.Flush()
}
