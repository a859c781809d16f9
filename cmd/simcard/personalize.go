package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tokenwright/simcard/stock"
	"tokenwright/tms/coolkey"
)

const personalizeLong = `personalize makes a card as a user carries it, without a token management system: applet loaded
over a secure channel with the stock's factory keys, PIN set, keys on the card, certificates
from an authority that is made for this card and thrown away, all of it written as a TPS
writes it. Programs that use PKCS#11 tokens can then be tried on it.

Each --key makes a key pair and a certificate, by order:
  1st  signing         container 1, key slots 2 and 3
  2nd  encryption      container 2, key slots 4 and 5
  3rd  authentication  container 3, key slots 6 and 7; and so on, up to seven
Without --key there are two RSA keys of 2048 bits, for signing and encryption.
No public applet makes EC keys. The virtual one does, in the form that clients define, and OpenSC
uses them; Debian's CoolKey module (1.1.0) knows RSA alone and shows nothing of a token that has
an EC key on it.

The card makes the keys itself (--on-card), or they are made outside and brought in encrypted,
as for keys that are archived (--imported; RSA alone, which is what applets import).

--cert-out DIR gets ca.pem, the authority's certificate, and one .pem for each key. Verify with
them what the card signs, and encrypt to them what it shall decrypt.

The card is written to --state when it is finished, and not at all when something fails; a file
that exists is left alone. With --seed the same card comes out each time, CUID included. The
CoolKey module remembers tokens by CUID and version of their content (in /var/cache/coolkey) and
shows what it remembers: empty that folder when two cards of one seed differ in other flags.
OpenSC finds no keys on a card with --legacy-objects; the CoolKey module does.

Exit codes: 0 done, 1 the card or a file failed, 2 what was asked for makes no sense.`

const personalizeExample = `  # a token with two RSA keys and the PIN 1234, in the first reader of vpcd
  simcard personalize --stock gp211-scp02 --state alice.card --cert-out alice
  simcard run --state alice.card

  # then, in another terminal
  pkcs11-tool --module /usr/lib/pkcs11/libcoolkeypk11.so -l -p 1234 -O

  # another user, a PIN that is not in the shell's history, EC keys, for OpenSC
  simcard personalize --stock sce7-scp03 --state bob.card --user bob --pin-file pin.txt \
      --key p256 --key p384 --json`

type personalizeFlags struct {
	stock, state, user string
	seed               int64
	pinFile            string
	pinStdin           bool
	keys               []string
	onCard, imported   bool
	certOut            string
	legacy, plain      bool
	asJSON             bool
}

func personalizeCommand() *cobra.Command {
	var f personalizeFlags
	cmd := &cobra.Command{
		Use:     "personalize --stock NAME --state FILE",
		Short:   "Make a card with a user's PIN, keys and certificates",
		Long:    personalizeLong,
		Example: personalizeExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.NoArgs(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		},
	}
	set := cmd.Flags()
	set.StringVar(&f.stock, "stock", "", "kind of card: "+strings.Join(stock.Names(), ", "))
	set.StringVar(&f.state, "state", "", "new file for the card")
	set.StringVar(&f.user, "user", "alice", "whose card it is: token name, and name in certificates")
	set.StringVar(&f.pinFile, "pin-file", "", "file whose first line is the PIN, 4 to 16 bytes")
	set.BoolVar(&f.pinStdin, "pin-stdin", false, "read the PIN from the first line of standard input")
	set.StringArrayVar(&f.keys, "key", []string{"rsa2048", "rsa2048"},
		"key pair to make: "+strings.Join(keyKindNames(), ", ")+"; may be repeated")
	set.BoolVar(&f.onCard, "on-card", false, "the card makes the keys (default)")
	set.BoolVar(&f.imported, "imported", false, "keys are made outside and imported encrypted")
	set.StringVar(&f.certOut, "cert-out", "", "folder for the certificates, made if it is not there")
	set.BoolVar(&f.legacy, "legacy-objects", false,
		"write separate objects in place of the combined one, as old tokens hold")
	set.BoolVar(&f.plain, "no-compress", false, "leave the combined object uncompressed")
	set.Int64Var(&f.seed, "seed", 0, "make every random choice reproducible")
	set.BoolVar(&f.asJSON, "json", false, "say what was made for machines")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var seed *int64
		if set.Changed("seed") {
			seed = &f.seed
		}
		w, err := f.wish(cmd.InOrStdin())
		if err != nil {
			return usageError{err}
		}
		made, err := w.fulfil(cmd.Context(), seed)
		if err != nil {
			return err
		}
		if f.asJSON {
			return made.json(cmd.OutOrStdout())
		}
		return made.text(cmd.OutOrStdout())
	}
	return cmd
}

// defaultPIN is the PIN of a card that nobody chose one for. It is no secret.
const defaultPIN = "1234"

// wish turns the flags into what shall be made, and finds out all that makes no sense.
func (f *personalizeFlags) wish(in io.Reader) (wish, error) {
	w := wish{
		state: f.state, user: f.user, certOut: f.certOut, imported: f.imported, separate: f.legacy,
		plain: f.plain,
	}
	switch {
	case f.stock == "":
		return w, errors.New("say which kind of card with --stock")
	case f.state == "":
		return w, errors.New("say with --state which file the card shall be kept in")
	case f.onCard && f.imported:
		return w, errors.New("--on-card and --imported exclude each other")
	case f.legacy && f.plain:
		return w, errors.New("--no-compress is about the combined object, which --legacy-objects replaces")
	case f.pinStdin && f.pinFile != "":
		return w, errors.New("--pin-file and --pin-stdin exclude each other")
	}
	if _, err := os.Lstat(f.state); !errors.Is(err, os.ErrNotExist) {
		return w, fmt.Errorf("--state %s: there is something already; it is left alone", f.state)
	}
	var err error
	if w.stock, err = stock.ByName(f.stock); err != nil {
		return w, fmt.Errorf("--stock: %w", err)
	}
	if err := checkUser(f.user); err != nil {
		return w, fmt.Errorf("--user: %w", err)
	}
	if w.keys, err = keySpecs(f.keys, f.imported); err != nil {
		return w, fmt.Errorf("--key: %w", err)
	}
	if err := checkCertOut(f.certOut, w.keys); err != nil {
		return w, fmt.Errorf("--cert-out: %w", err)
	}
	w.pin, err = f.pin(in)
	w.defaultPIN = f.pinFile == "" && !f.pinStdin
	return w, err
}

// checkUser keeps the name within what token name and certificates can hold.
func checkUser(name string) error {
	if name == "" || len(name) > 64 {
		return fmt.Errorf("%d bytes, want 1 to 64", len(name))
	}
	for _, r := range name {
		if r < ' ' || r == 0x7F || r == '\uFFFD' {
			return errors.New("control characters and broken UTF-8 are no name")
		}
	}
	return nil
}

// pin reads the PIN. No error shows what was read.
func (f *personalizeFlags) pin(in io.Reader) (coolkey.PIN, error) {
	from, name := in, "--pin-stdin"
	switch {
	case f.pinFile != "":
		file, err := os.Open(f.pinFile)
		if err != nil {
			return nil, fmt.Errorf("--pin-file: %w", err)
		}
		defer func() { _ = file.Close() }()
		from, name = file, "--pin-file"
	case !f.pinStdin:
		return coolkey.PIN(defaultPIN), nil
	}
	const longest = 1024
	line, err := bufio.NewReader(io.LimitReader(from, longest)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	pin := coolkey.PIN(bytes.TrimRight(line, "\r\n"))
	if !pin.Valid() {
		return nil, fmt.Errorf("%s: %d bytes, a PIN has %d to %d", name, len(pin), coolkey.MinPIN,
			coolkey.MaxPIN)
	}
	return pin, nil
}
