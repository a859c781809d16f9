package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tokenwright/tms/esc/pcsc"
)

// readerView is a reader as it is shown.
type readerView struct {
	Name  string `json:"name"`
	Card  bool   `json:"card"`
	Mute  bool   `json:"mute,omitempty"`
	InUse bool   `json:"inUse,omitempty"`
	ATR   string `json:"atr,omitempty"`
}

func newReaders(d desk) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "readers",
		Short: "List the PC/SC readers and what is in them",
		Long: `readers lists the readers that pcscd knows, and the ATR of the card in each.

The names are what --reader of the other commands takes. A virtual reader of
vsmartcard's vpcd shows up here too: simcard run plugs a card into it.`,
		Example: "  esc readers\n  esc readers --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return done(showReaders(d.out, asJSON))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

func showReaders(w io.Writer, asJSON bool) error {
	states, err := pcsc.States()
	if err != nil {
		return err
	}
	views := make([]readerView, 0, len(states))
	for _, s := range states {
		views = append(views, readerView{Name: s.Name, Card: s.Card, Mute: s.Mute, InUse: s.InUse,
			ATR: fmt.Sprintf("%X", s.ATR)})
	}
	if asJSON {
		return writeJSON(w, views)
	}
	for _, v := range views {
		if _, err := fmt.Fprintf(w, "%s: %s\n", printable(v.Name), v.words()); err != nil {
			return err
		}
	}
	if len(views) == 0 {
		return fmt.Errorf("%w: pcscd runs and knows none", pcsc.ErrNoReader)
	}
	return nil
}

func (v readerView) words() string {
	switch {
	case v.Mute:
		return "a card that does not answer to reset"
	case !v.Card:
		return "empty"
	case v.InUse:
		return "card " + v.ATR + ", in use"
	}
	return "card " + v.ATR
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
