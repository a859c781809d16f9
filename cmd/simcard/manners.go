package main

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tokenwright/simcard/fault"
	"tokenwright/simcard/stock"
)

// manners choose how a card behaves in a reader, beyond what it is.
type manners struct {
	personality, latency string
	polite               bool
}

func (m *manners) register(set *pflag.FlagSet) {
	set.StringVar(&m.latency, "latency", "",
		"take as long as real silicon, by `model`: "+strings.Join(fault.LatencyNames(), ", "))
	set.BoolVar(&m.polite, "polite", false,
		"answer at once and add nothing to the FCI; without it, the card is as odd as the\n"+
			"specification lets it be")
	set.StringVar(&m.personality, "personality", "",
		"depart from the specification as cards in the field do, by `name`: see \"simcard personalities\"")
}

// of gives the stock as the personality has it.
func (m *manners) of(s stock.Stock) (stock.Stock, error) {
	p, err := m.find()
	return p.Of(s), err
}

func (m *manners) find() (fault.Personality, error) {
	if m.personality == "" {
		return fault.Personality{}, nil
	}
	return fault.PersonalityByName(m.personality)
}

// apply comes between the card and its reader.
func (m *manners) apply(c fault.Card, seed uint64) (fault.Card, error) {
	p, err := m.find()
	if err != nil {
		return nil, err
	}
	c = p.Apply(c, fault.RealTime{})
	if m.latency != "" {
		l, err := fault.LatencyByName(m.latency)
		if err != nil {
			return nil, err
		}
		c = fault.Slow(c, l, fault.RealTime{}, seed)
	}
	if !m.polite {
		c = fault.Rude(c, fault.RealTime{}, seed)
	}
	return c, nil
}

// mannersSeed is the card's seed, or any.
func (f *cardFlags) mannersSeed() uint64 {
	if f.set.Changed("seed") {
		return uint64(f.seed)
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}

func personalitiesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "personalities",
		Short: "List the ways in which cards may depart from the specification",
		Long: `Lists what "simcard run --personality NAME" can play: departures from the specification that
were seen on cards in the field.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, p := range fault.Personalities() {
				_, _ = fmt.Fprintf(w, "%s\t%s\n", p.Name, p.Title)
			}
			return w.Flush()
		},
	}
}
