package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// version names this client in servers' logs.
const version = "tokenwright-esc 1.0"

const rootLong = `esc talks to smart cards and to the token processing system (TPS) that looks
after them. The TPS does the work: esc passes its commands to the card, asks
for a user name, a password and a new PIN when the TPS wants them, and tells how
far it is.

A card is reached through PC/SC (pcscd), or through a socket: with --vpcd PORT
esc is itself the reader, and a card connects to it, with no pcscd at all:

    esc status --vpcd 35963              # one terminal
    simcard run --vpcd 127.0.0.1:35963   # another one

Exit codes:
  0  done
  1  the server refused or failed the operation; its code and reason are shown
  2  the command line makes no sense
  3  no reader, no card, or the card went away
  4  the server could not be reached, was lost, or was not understood
  5  anything else: interrupted, login not answered, nothing to renew, a file
     that cannot be read`

const rootExample = `  esc readers
  esc status
  esc status --reader "Virtual PCD 00 00" --json
  esc format --url https://tps.example.com:8443/tps/tps --ca ca.pem --user jane
  esc enroll --url https://tps.example.com:8443/tps/tps --ca ca.pem --user jane
  esc pin-reset --user jane
  esc format --url https://127.0.0.1:8443 --ca ca.pem --user jane --vpcd 35963`

func newRoot(d desk) *cobra.Command {
	root := &cobra.Command{
		Use:           "esc",
		Short:         "Look at smart cards and have a TPS look after them",
		Long:          rootLong,
		Example:       rootExample,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return done(cmd.Help())
		},
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	// Most terminals are no wider; the flags' own lines are as long as they come.
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages",
		".FlagUsagesWrapped 80"))
	root.AddCommand(newReaders(d), newStatus(d))
	for _, op := range []operation{formatCard, enrollCard, resetPIN, renewCard} {
		root.AddCommand(newOperation(d, op))
	}
	return root
}

// language is the two letters of the person's language, from the environment as POSIX has it.
func language(getenv func(string) string) string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		v := getenv(name)
		if v == "" {
			continue
		}
		word, _, _ := strings.Cut(v, ".")
		word, _, _ = strings.Cut(word, "_")
		if len(word) == 2 && strings.ToLower(word) == word {
			return word
		}
		return ""
	}
	return ""
}
