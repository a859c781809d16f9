package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"tokenwright/tms/kra/agentapi"
	"tokenwright/tms/kra/approval"
)

// sayRequest shows one request.
func sayRequest(f *caFlags, out io.Writer, q agentapi.Request) error {
	return f.say(out, q, func(w io.Writer) {
		what := string(q.Purpose)
		if q.User != "" {
			what += " with " + q.User
		}
		fmt.Fprintf(w, "request\t%d\nkey\t%d\nwhat\t%s\nstate\t%s\nmade by\t%s, %s\nreason\t%s\n"+
			"expires\t%s\nneeds\t%d approvals\n", q.ID, q.KeyID, what, q.Now, q.Requester, day(q.Created),
			q.Reason, day(q.Expires), q.Need)
		for _, v := range q.Votes {
			word := map[bool]string{true: "approved by", false: "rejected by"}[v.Approve]
			fmt.Fprintf(w, "%s\t%s, %s\n", word, v.Agent, day(v.At))
		}
	})
}

func kraRequests(f *caFlags, a *agentFlags) *cobra.Command {
	var key, before int64
	var limit int
	cmd := &cobra.Command{Use: "requests", Short: "List agents' requests, the latest first",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, c *agentapi.Client) error {
				all, err := c.Requests(ctx, key, before, limit)
				if err != nil {
					return err
				}
				return f.say(cmd.OutOrStdout(), all, func(w io.Writer) {
					fmt.Fprintln(w, "REQUEST\tKEY\tWHAT\tSTATE\tMADE BY\tVOTES\tEXPIRES")
					for _, q := range all {
						fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%s\t%d of %d\t%s\n", q.ID, q.KeyID, q.Purpose, q.Now,
							q.Requester, len(q.Votes), q.Need, day(q.Expires))
					}
				})
			})
		}}
	fl := cmd.Flags()
	fl.Int64Var(&key, "key", 0, "on this key only")
	fl.Int64Var(&before, "before", 0, "begin before this number")
	fl.IntVar(&limit, "limit", 100, "at most so many, up to 500")
	return cmd
}

func kraRequest(f *caFlags, a *agentFlags) *cobra.Command {
	n := agentapi.New{Purpose: approval.Export}
	cmd := a.numbered("request KEY", "Ask for a key to be exported, or shared with another user",
		func(ctx context.Context, cmd *cobra.Command, c *agentapi.Client, id int64) error {
			if n.Reason == "" {
				return usageError{errors.New("--reason: want why")}
			}
			n.KeyID = id
			if n.User != "" {
				n.Purpose = approval.Share
			}
			q, err := c.Make(ctx, n)
			if err != nil {
				return err
			}
			return sayRequest(f, cmd.OutOrStdout(), q)
		})
	cmd.Example = `  tms kra request 17 --as ./ann --reason "left the company, case 4711"
  tms kra request 17 --as ./ann --reason "takes over the mailbox" --share-with bob`
	cmd.Flags().StringVar(&n.Reason, "reason", "", "why; it is kept with the request")
	cmd.Flags().StringVar(&n.User, "share-with", "", "user whose cards may have the key, as its owner's "+
		"may; without one the key is to be exported")
	return cmd
}

func kraVote(f *caFlags, a *agentFlags, approve bool) *cobra.Command {
	use, short := "approve REQUEST", "Approve a request"
	if !approve {
		use, short = "reject REQUEST", "Reject a request, which ends it"
	}
	return a.numbered(use, short,
		func(ctx context.Context, cmd *cobra.Command, c *agentapi.Client, id int64) error {
			q, err := c.Vote(ctx, id, approve)
			if err != nil {
				return err
			}
			return sayRequest(f, cmd.OutOrStdout(), q)
		})
}

func kraCancel(f *caFlags, a *agentFlags) *cobra.Command {
	return a.numbered("cancel REQUEST", "Cancel one's own request",
		func(ctx context.Context, cmd *cobra.Command, c *agentapi.Client, id int64) error {
			q, err := c.Cancel(ctx, id)
			if err != nil {
				return err
			}
			return sayRequest(f, cmd.OutOrStdout(), q)
		})
}

// kraRecover fulfils a request. The file is made before the key is asked for: it is given once.
func kraRecover(f *caFlags, a *agentFlags) *cobra.Command {
	var out, phraseFile string
	cmd := a.numbered("recover REQUEST", "Fulfil one's own approved request: write the key, or share it",
		func(ctx context.Context, cmd *cobra.Command, c *agentapi.Client, id int64) (err error) {
			q, err := c.Request(ctx, id)
			if err != nil {
				return err
			}
			if q.Purpose != approval.Export {
				done, err := c.Fulfil(ctx, id, "")
				if err != nil {
					return err
				}
				return sayRequest(f, cmd.OutOrStdout(), done.Request)
			}
			if out == "" {
				return usageError{errors.New("--out: want a new file for the key")}
			}
			phrase, err := readPhrase(cmd, phraseFile)
			if err != nil {
				return err
			}
			file, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return err
			}
			done, err := c.Fulfil(ctx, id, phrase)
			if err != nil {
				return errors.Join(err, file.Close(), os.Remove(out))
			}
			_, err = io.WriteString(file, done.Key)
			if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
				return err
			}
			return sayRequest(f, cmd.OutOrStdout(), done.Request)
		})
	cmd.Long = `Fulfil one's own request once enough agents have approved it. A key is written as PEM,
encrypted under a passphrase; what was asked for happens once.`
	cmd.Example = `  tms kra recover 3 --as ./ann --out alice.pem
  openssl pkey -in alice.pem -noout -text`
	cmd.Flags().StringVar(&out, "out", "", "new file for the key: PEM, encrypted PKCS #8")
	cmd.Flags().StringVar(&phraseFile, "passphrase-file", "", "file whose first line is the passphrase "+
		"of the key, - for standard input; asked for at the terminal when not stated")
	return cmd
}

// readPhrase reads the passphrase of an exported key.
func readPhrase(cmd *cobra.Command, path string) (string, error) {
	if path != "" {
		text, err := readIn(cmd, path)
		if err != nil {
			return "", err
		}
		line, err := bufio.NewReader(bytes.NewReader(text)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return "", usageError{errors.New("--passphrase-file: this is no terminal to ask at")}
	}
	var said [2]string
	for i, prompt := range []string{"Passphrase of the key: ", "Once more: "} {
		fmt.Fprint(cmd.ErrOrStderr(), prompt)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(cmd.ErrOrStderr())
		if err != nil {
			return "", err
		}
		said[i] = string(b)
		clear(b)
	}
	if said[0] != said[1] {
		return "", errors.New("the passphrases differ")
	}
	return said[0], nil
}
