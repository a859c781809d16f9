package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tokenwright/tms/instance"
	"tokenwright/tms/store"
	"tokenwright/tms/store/ldap"
	"tokenwright/tms/store/migrate"
)

const migrateHelp = `Copy the token database from one home to another: tokens, activities, certificates and
intents, with their revisions, times and ids.

--from and --to are each the CS.cfg of a TPS, whose tokendb.home and what belongs to it say where the
database is, or "sqlite:" and the path of a file. Passwords are read from where CS.cfg says. A
directory that Dogtag has filled is read as it is; nothing is written there.

The TPS must not run meanwhile. The target has to be empty. A copy that was broken off is gone on
with by --resume; how far it came is kept in the file --state. At the end everything is counted in both.`

const migrateExample = `  tms tokendb migrate --from sqlite:/srv/tms/tps/tokens.db --to new-CS.cfg
  tms tokendb migrate --from tps/CS.cfg --to new/CS.cfg --resume`

func tokendbCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "tokendb", Short: "Prepare and copy the token database",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(tokendbMigrate(), tokendbSchema())
	return cmd
}

func tokendbMigrate() *cobra.Command {
	var o migrate.Options
	var asJSON bool
	cmd := &cobra.Command{Use: "migrate", Short: "Copy the token database to another home",
		Long: migrateHelp, Example: migrateExample, Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Progress = progressTo(cmd.ErrOrStderr())
			counts, err := migrateHomes(cmd.Context(), o)
			if errors.Is(err, migrate.ErrNotEmpty) {
				return exitError{err, exitExists}
			}
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(counts)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Copied and counted: %s\n", countsText(counts))
			return nil
		}}
	f := cmd.Flags()
	f.StringVar(&o.From, "from", "", `CS.cfg of a TPS, or "sqlite:" and a file`)
	f.StringVar(&o.To, "to", "", `CS.cfg of a TPS, or "sqlite:" and a file`)
	f.BoolVar(&o.Resume, "resume", false, "go on with a copy that was broken off")
	f.StringVar(&o.State, "state", "tokendb-migrate.state", "file that says how far the copy came")
	f.BoolVar(&asJSON, "json", false, "answer in JSON")
	_ = cmd.MarkFlagRequired("from") // the flags are there
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

func migrateHomes(ctx context.Context, o migrate.Options) (_ store.Counts, err error) {
	if sameHome(o.From, o.To) {
		return store.Counts{}, usageError{errors.New("--from and --to are the same")}
	}
	from, err := instance.OpenHome(ctx, o.From, true)
	if err != nil {
		return store.Counts{}, exitError{err, exitInstance}
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := instance.OpenHome(ctx, o.To, false)
	if err != nil {
		return store.Counts{}, exitError{err, exitInstance}
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	return migrate.Run(ctx, from, to, o)
}

func sameHome(a, b string) bool { return filepath.Clean(a) == filepath.Clean(b) }

// progressTo prints how far a copy has come, at most once a second.
func progressTo(w io.Writer) func(done, all store.Counts) {
	var last time.Time
	return func(done, all store.Counts) {
		if done != all && time.Since(last) < time.Second {
			return
		}
		last = time.Now()
		fmt.Fprintf(w, "%s of %s\n", countsText(done), countsText(all))
	}
}

func countsText(c store.Counts) string {
	return fmt.Sprintf("%d tokens, %d activities, %d certificates, %d intents", c.Tokens, c.Activities,
		c.Certificates, c.Intents)
}

const schemaHelp = `Print the schema that a directory needs for the token database.

The first part is what Dogtag calls things: a directory that Dogtag uses has it already, and
--without-dogtag leaves it out. The second part is what this system adds. --indexes prints the
indexes, which searches need to be quick. --to writes the files to a folder instead.`

func tokendbSchema() *cobra.Command {
	var indexes, without bool
	var to string
	cmd := &cobra.Command{Use: "schema openldap|389ds", Short: "Print the schema for a directory",
		Long: schemaHelp, Args: usage(cobra.ExactArgs(1)), ValidArgs: []string{ldap.OpenLDAP, ldap.DS389},
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := ldap.Schema(args[0])
			if err != nil {
				return usageError{err}
			}
			files := set.Schema
			if without {
				files = files[1:]
			}
			if indexes {
				files = []ldap.SchemaFile{set.Indexes}
			}
			return writeSchema(cmd.OutOrStdout(), to, files)
		}}
	cmd.Flags().BoolVar(&indexes, "indexes", false, "print the indexes instead")
	cmd.Flags().BoolVar(&without, "without-dogtag", false, "leave out what Dogtag's directory has")
	cmd.Flags().StringVar(&to, "to", "", "folder to write files to")
	return cmd
}

func writeSchema(w io.Writer, folder string, files []ldap.SchemaFile) error {
	for _, f := range files {
		if folder == "" {
			if _, err := io.WriteString(w, f.Text+"\n"); err != nil {
				return err
			}
			continue
		}
		path := filepath.Join(folder, f.Name)
		if err := os.WriteFile(path, []byte(f.Text), 0o644); err != nil { //nolint:gosec // no secret
			return err
		}
		fmt.Fprintln(w, path)
	}
	return nil
}
