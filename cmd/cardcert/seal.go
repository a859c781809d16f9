package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"tokenwright/features/evidence"
	"tokenwright/features/seal"
)

// The files of a report in its folder.
const (
	fileJSON  = "report.json"
	fileHTML  = "report.html"
	fileJUnit = "report.junit.xml"
)

// writeFolder writes a report in all its forms to a folder, and seals them when there is a key.
func writeFolder(dir, key string, r *evidence.Report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // to be read
		return err
	}
	forms := []struct {
		name  string
		write func(io.Writer) error
	}{{fileJSON, r.WriteJSON}, {fileHTML, r.WriteHTML}, {fileJUnit, r.WriteJUnit}}
	var names []string
	for _, f := range forms {
		if err := writeFile(filepath.Join(dir, f.name), f.write); err != nil {
			return err
		}
		names = append(names, f.name)
	}
	if key == "" {
		return nil
	}
	signer, closeKey, err := seal.Signer(key)
	if err != nil {
		return err
	}
	return errors.Join(seal.Sign(dir, names, signer), closeKey())
}

// checkKey opens the signing key, so that a run of hours does not end without a signature. folder is
// where the reports go that it seals, and flag names it.
func checkKey(key, folder, flag string) error {
	if key == "" {
		return nil
	}
	if folder == "" {
		return fmt.Errorf("--sign seals what --%s writes", flag)
	}
	_, closeKey, err := seal.Signer(key)
	if err != nil {
		return err
	}
	return closeKey()
}

func writeFile(name string, write func(io.Writer) error) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644) //nolint:gosec // to be read
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

func verifyCommand() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "verify FOLDER --key FILE",
		Short: "Tell whether a report is what was signed, and its verdicts follow",
		Long: `Checks a report that "cardcert run --out FOLDER --sign KEY" wrote: the signature over
SHA256SUMS, the sums of the files, the chain of hashes through the transcript, and every
verdict, which is made again from what the transcript holds.

--key is the public key of whoever signed, or a certificate, in PEM. Whether that key is
the right one is yours to know. Without --key nothing is said of who made the report.

sha256sum -c SHA256SUMS and openssl dgst -sha256 -verify KEY -signature SHA256SUMS.sig
SHA256SUMS check the first two by other means.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return verifyFolder(cmd.OutOrStdout(), args[0], key)
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "`file` with the signer's public key or certificate, PEM")
	return cmd
}

// errRefused is a report that is not to be believed.
var errRefused = errors.New("refused")

func verifyFolder(out io.Writer, dir, key string) error {
	if key != "" {
		public, err := seal.PublicKey(key)
		if err != nil {
			return usageError{err}
		}
		files, err := seal.Verify(dir, public)
		if err != nil {
			return fmt.Errorf("%w: %w", errRefused, err)
		}
		if err := holds(files, fileJSON); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "signature   good, over %d files\n", len(files))
	} else {
		_, _ = fmt.Fprintln(out, "signature   not checked: no --key")
	}
	file, err := os.Open(filepath.Join(dir, fileJSON))
	if err != nil {
		return usageError{err}
	}
	defer file.Close()
	r, err := evidence.ReadJSON(file)
	if err == nil {
		err = r.Verify()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	_, _ = fmt.Fprintf(out, "transcript  whole, %d records, root %s\n", len(r.Transcript), r.Root)
	_, _ = fmt.Fprintf(out, "verdicts    follow, %d cases\n", len(r.Results))
	summary(out, r)
	return nil
}

func holds(files []string, name string) error {
	for _, f := range files {
		if f == name {
			return nil
		}
	}
	return fmt.Errorf("%w: the signature does not cover %s", errRefused, name)
}
