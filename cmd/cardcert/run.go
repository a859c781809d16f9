package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tokenwright/features/certify"
	"tokenwright/features/evidence"
	"tokenwright/features/verdict"
	"tokenwright/fixtures/applets"
	"tokenwright/simcard/fault"
	"tokenwright/simcard/stock"
	"tokenwright/tms/gp"
)

// version names this program in reports.
const version = "tokenwright cardcert"

// runFlags are the flags of run.
type runFlags struct {
	sim, reader      string
	personality      string
	consent, destroy string
	keys, stock      string
	applet           string
	only             []string
	declare          map[string]string
	strict           bool
	seed             int64
	quiet, stop      bool
	json, html       string
	junit            string
	transcript       string
	out, sign        string
}

func runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run (--sim STOCK | --reader NAME)",
		Short: "Run the catalogue on one card",
		Long: `Runs the cases that apply to the card, the ones after the others, and reports a
verdict on each: pass, pass with deviation, fail, inconclusive, not applicable.

Without keys a card in a reader is asked only what it tells everybody. Keys come from
a file (--keys), which is checked against the card's own cryptogram before anything is
tried on the card, or are those that cards of a stock leave the factory with (--stock).
The file holds one "name value" a line: kvn, algorithm (3des or aes), enc, mac and dek,
or master for all three, diversify (none, emv, visa2, nist, gpkmc, kdf3), and kcv, three
bytes that the first key must have. "-" reads it from standard input.

What cases change is put back behind each of them. After Ctrl-C, a pulled card or a crash
the next run on that card does it first.`,
		Example: "  cardcert run --sim sce7-scp03 --html report.html\n" +
			"  cardcert run --reader \"Reader 00 00\" --stock gp211-scp02 --only SEL --only GDA",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	fl := cmd.Flags()
	f.registerCard(fl)
	fl.StringVar(&f.consent, "consent", "", "CUID of the card whose content may be changed and put back")
	fl.StringVar(&f.destroy, "consent-destroy", "", "CUID of the card that may be used up")
	fl.StringVar(&f.applet, "applet", "", "load file that may go to the card")
	fl.StringArrayVar(&f.only, "only", nil, "cases: SEL-01, SEL, a tag or a feature; may be repeated")
	fl.StringToStringVar(&f.declare, "declare", nil,
		"what the vendor states: domains=true, tries=10; cardcert facts lists all")
	fl.BoolVar(&f.strict, "strict", false, "tolerate nothing where a case is binding")
	fl.BoolVar(&f.stop, "stop", false, "end the run behind the first case that fails")
	fl.StringVar(&f.json, "json", "", "write the report with its transcript here")
	fl.StringVar(&f.html, "html", "", "write the report for people here, one page")
	fl.StringVar(&f.junit, "junit", "", "write the report for build servers here")
	fl.StringVar(&f.out, "out", "", "write the report in all its forms to this `folder`")
	fl.StringVar(&f.sign, "sign", "", "seal the --out folder with the private key in this `file`, or at a pkcs11: URI")
	fl.StringVar(&f.transcript, "transcript", "", "write the transcript here as it grows")
	return cmd
}

// registerCard registers the flags that choose a card and say how to reach it.
func (f *runFlags) registerCard(fl *pflag.FlagSet) {
	fl.StringVar(&f.reader, "reader", "", "reader of the PC/SC service that holds the card")
	f.registerCommon(fl)
}

// registerCommon registers those that do not name a reader.
func (f *runFlags) registerCommon(fl *pflag.FlagSet) {
	fl.StringVar(&f.sim, "sim", "", "virtual card of this stock")
	fl.StringVar(&f.personality, "personality", "",
		"let the virtual card depart from the specification, by `name`: see \"simcard personalities\"")
	fl.StringVar(&f.keys, "keys", "", "file with the card's keys, - for standard input")
	fl.StringVar(&f.stock, "stock", "", "take the factory keys of this stock")
	fl.Int64Var(&f.seed, "seed", 0, "repeat the random choices of an earlier run")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "show the outcome alone")
}

func (f *runFlags) run(ctx context.Context, in io.Reader, out io.Writer) error {
	if err := checkKey(f.sign, f.out, "out"); err != nil {
		return usageError{err}
	}
	conf, err := f.config(in)
	if err != nil {
		return err
	}
	defer func() { _ = conf.Source.Close() }()
	conf.Announce, conf.Declared, conf.Strict = out, f.declare, f.strict
	if !f.quiet {
		conf.Progress = out
	}
	if f.stop {
		conf.StopAt = func(r evidence.Result) bool {
			return r.Finding.Verdict == verdict.Fail || r.Finding.Verdict == verdict.Inconclusive
		}
	}
	if f.transcript != "" {
		file, err := os.OpenFile(f.transcript, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return usageError{err}
		}
		defer file.Close()
		conf.Sink = file
	}
	report, err := certify.Run(ctx, conf)
	if report == nil {
		return err
	}
	summary(out, report)
	if err = errors.Join(err, f.write(report)); err != nil {
		return err
	}
	if report.Counts[verdict.Fail]+report.Counts[verdict.Inconclusive] > 0 {
		return outcome{report.Counts}
	}
	return nil
}

// config makes sense of the flags.
func (f *runFlags) config(in io.Reader) (certify.Config, error) {
	if (f.sim == "") == (f.reader == "") {
		return certify.Config{}, usageError{errors.New("give either --sim or --reader")}
	}
	if f.seed == 0 {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		f.seed = int64(binary.BigEndian.Uint64(b[:])>>1 | 1)
	}
	c := certify.Config{
		Consent: f.consent, Destroy: f.destroy, Only: f.only, Seed: f.seed, Tool: version,
	}
	var err error
	if f.sim != "" {
		err = f.simulated(&c)
	} else {
		err = f.plugged(&c, in)
	}
	if err != nil {
		return c, usageError{err}
	}
	if f.applet != "" {
		if c.LoadFile, err = loadFile(f.applet); err != nil {
			return c, usageError{err}
		}
	}
	return c, nil
}

// simulated takes a virtual card, whose keys are published and to which the synthetic load file goes.
func (f *runFlags) simulated(c *certify.Config) error {
	st, err := stock.ByName(f.sim)
	if err != nil {
		return err
	}
	if f.keys != "" || f.stock != "" {
		return errors.New("--keys and --stock are for cards in readers")
	}
	src := &certify.Simulated{Stock: st, Seed: f.seed}
	if f.personality != "" {
		p, err := fault.PersonalityByName(f.personality)
		if err != nil {
			return err
		}
		src.Stock = p.Of(st)
		src.Wrap = func(c fault.Card) fault.Card { return p.Apply(c, &fault.VirtualTime{}) }
	}
	c.Source, c.Keys = src, certify.FactoryKeys(st)
	c.LoadFile, err = applets.File(certify.AppletFor(st))
	return err
}

func (f *runFlags) plugged(c *certify.Config, in io.Reader) error {
	if f.personality != "" {
		return errors.New("--personality is for virtual cards")
	}
	c.Source = &certify.Plugged{ReaderName: f.reader}
	folder, err := certify.DefaultFolder()
	if err != nil {
		return err
	}
	c.Journal = folder
	switch {
	case f.keys != "" && f.stock != "":
		return errors.New("give either --keys or --stock")
	case f.stock != "":
		st, err := stock.ByName(f.stock)
		if err != nil {
			return err
		}
		c.Keys = certify.FactoryKeys(st)
	case f.keys != "":
		if f.keys != "-" {
			file, err := os.Open(f.keys)
			if err != nil {
				return err
			}
			defer file.Close()
			in = file
		}
		c.Keys, err = certify.ReadKeys(in)
		return err
	}
	return nil
}

// loadFile reads a load file and makes sure that it is one.
func loadFile(name string) ([]byte, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if st.Size() > 4*gp.MaxLoadFile {
		return nil, fmt.Errorf("%s: %d bytes are too much for a load file", name, st.Size())
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	parsed, err := gp.ParseLoadFile(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return parsed.Bytes(), nil
}

func (f *runFlags) write(r *evidence.Report) error {
	var all error
	for name, write := range map[string]func(io.Writer) error{
		f.json: r.WriteJSON, f.html: r.WriteHTML, f.junit: r.WriteJUnit,
	} {
		if name == "" {
			continue
		}
		all = errors.Join(all, writeFile(name, write))
	}
	if f.out != "" {
		all = errors.Join(all, writeFolder(f.out, f.sign, r))
	}
	return all
}

func summary(out io.Writer, r *evidence.Report) {
	var parts []string
	for _, v := range verdict.All() {
		parts = append(parts, fmt.Sprintf("%d %s", r.Counts[v], v))
	}
	_, _ = fmt.Fprintf(out, "%s: %s (%d commands, %.1f s, root %s)\n", r.Header.Card,
		strings.Join(parts, ", "), r.Exchanges, float64(r.Took)/1e6, r.Root)
	for _, remark := range r.Remarks {
		_, _ = fmt.Fprintln(out, remark)
	}
}
