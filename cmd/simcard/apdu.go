package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"tokenwright/simcard"
)

func apduCommand() *cobra.Command {
	var f cardFlags
	cmd := &cobra.Command{
		Use:   "apdu --stock NAME",
		Short: "Answer one APDU a line",
		Long: `Reads one command APDU in hex a line from standard input and writes the response APDU
in hex as one line to standard output, at once, so that a script can hold a conversation.
The line "reset" is a cold reset and answers the ATR. Spaces in a line do not matter; "#"
starts a comment; blank lines are passed over. A line that is anything else ends the program
with an error that names it, exit code 2, and no line of output for it.`,
		Example: `  printf '00A4040000\n80CA9F7F00\n' | simcard apdu --stock gp211-scp01
  echo B03C000010 | simcard apdu --stock gp211-scp01 --applet coolkey`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.open()
			if err != nil {
				return err
			}
			if err = c.PowerOn(); err == nil {
				err = converse(cmd.Context(), c, cmd.InOrStdin(), cmd.OutOrStdout())
			}
			if cerr := c.Close(); err == nil {
				err = cerr
			}
			return err
		},
	}
	f.register(cmd.Flags())
	return cmd
}

// maxLine bounds a line of input in bytes: the longest APDU in hex, with spaces between bytes.
const maxLine = 4 * 65544

// converse answers lines until the input ends.
func converse(ctx context.Context, c *simcard.Card, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		n++
		resp, err := answer(ctx, c, lines.Text())
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if resp == nil {
			continue
		}
		if _, err := fmt.Fprintf(out, "%X\n", resp); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return usageError{fmt.Errorf("line %d: %w", n+1, err)}
	}
	return nil
}

// answer gives what a line is answered with, nil for nothing.
func answer(ctx context.Context, c *simcard.Card, line string) ([]byte, error) {
	line, _, _ = strings.Cut(line, "#")
	line = strings.Join(strings.Fields(line), "")
	switch {
	case line == "":
		return nil, nil
	case strings.EqualFold(line, "reset"):
		if err := c.PowerOn(); err != nil {
			return nil, err
		}
		return c.ATR(), nil
	}
	cmd, err := hex.DecodeString(line)
	if err != nil {
		return nil, usageError{fmt.Errorf("not an APDU in hex: %w", err)}
	}
	return c.Transmit(ctx, cmd)
}
