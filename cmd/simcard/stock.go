package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tokenwright/simcard/stock"
)

func stockCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stock",
		Short: "List the kinds of card there are",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return stockJSON(cmd.OutOrStdout())
			}
			return stockTable(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for machines, with all details")
	return cmd
}

func stockTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range stock.All() {
		_, _ = fmt.Fprintf(w, "%s\t%s\n", s.Name, s.Title)
	}
	return w.Flush()
}

// listed is a stock as --json shows it. The factory master keys are published test keys.
type listed struct {
	Name       string       `json:"name"`
	Title      string       `json:"title"`
	ATR        string       `json:"atr"`
	ISD        string       `json:"isd"`
	SCP        string       `json:"scp"`
	I          string       `json:"i"`
	Keys       factoryKeys  `json:"factoryKeys"`
	LifeCycle  string       `json:"lifeCycle"`
	GPVersion  string       `json:"gpVersion"`
	Persistent int          `json:"persistentMemory"`
	Transient  int          `json:"transientMemory"`
	Quirks     stock.Quirks `json:"quirks"`
}

type factoryKeys struct {
	KVN         string `json:"kvn"`
	Algorithm   string `json:"algorithm"`
	TestMaster  string `json:"testMaster"`
	Diversified string `json:"diversified"`
}

func stockJSON(out io.Writer) error {
	var all []listed
	for _, s := range stock.All() {
		all = append(all, listed{
			Name: s.Name, Title: s.Title, ATR: fmt.Sprintf("%X", s.ATR), ISD: s.ISD.String(),
			SCP: fmt.Sprintf("%02X", s.SCP), I: fmt.Sprintf("%02X", s.I),
			Keys: factoryKeys{
				KVN: s.Keys.KVN.String(), Algorithm: s.Keys.Algorithm.String(),
				TestMaster: fmt.Sprintf("%X", s.Keys.Master), Diversified: s.Keys.Method.String(),
			},
			LifeCycle:  fmt.Sprintf("%02X", s.LifeCycle),
			GPVersion:  fmt.Sprintf("%d.%d.%d", s.GPVersion[0], s.GPVersion[1], s.GPVersion[2]),
			Persistent: s.Memory.Persistent, Transient: s.Memory.Transient, Quirks: s.Quirks,
		})
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(all)
}
