package contact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"tokenwright/tms/gp"
	"tokenwright/tms/perso"
	"tokenwright/tms/token"
	"tokenwright/tms/wire"
)

// taskAppletBlock is a word of progress, as clients know it.
const taskAppletBlock = "PROGRESS_APPLET_BLOCK"

var (
	// ErrAppletFile means that the load file for a card is missing or not what it
	// should be.
	ErrAppletFile = errors.New("applet load file unusable")
	// ErrAppletVersion means that no applet version is configured for a card.
	ErrAppletVersion = errors.New("no applet version to load")
)

// appletFile finds and reads the load file for a card that speaks this protocol:
// <directory>/<version>.<extension>. It is parsed, and must hold the configured
// package and applet, before anything is deleted from a card.
func (r *Run) appletFile(protocol byte) (file []byte, version string, err error) {
	if protocol < 1 || protocol > 3 {
		return nil, "", fmt.Errorf("%w: protocol %02X", ErrAppletVersion, protocol)
	}
	version = r.Conf.AppletVersion[protocol]
	if !plainName(version) {
		return nil, "", fmt.Errorf("%w: %.64q for SCP%02X cards of token type %s",
			ErrAppletVersion, version, protocol, r.TokenType)
	}
	name := filepath.Join(r.Conf.AppletDir, version+"."+r.Settings.Ext)
	raw, err := readBounded(name, gp.MaxLoadFile)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrAppletFile, err)
	}
	load, err := gp.ParseLoadFile(raw)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %s: %w", ErrAppletFile, name, err)
	}
	if !load.Package.Equal(r.Settings.Package) {
		return nil, "", fmt.Errorf("%w: %s holds package %s, want %s",
			ErrAppletFile, name, load.Package, r.Settings.Package)
	}
	if !load.HasApplet(r.Settings.Instance) {
		return nil, "", fmt.Errorf("%w: %s holds no applet %s", ErrAppletFile, name, r.Settings.Instance)
	}
	return load.Bytes(), version, nil
}

// plainName tells whether a version can be a file's name: it comes from
// configuration or a resolver, and must not lead out of the directory.
func plainName(s string) bool {
	if s == "" || len(s) > token.MaxInfo || s[0] == '.' {
		return false
	}
	return strings.IndexFunc(s, func(c rune) bool {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			return false
		}
		return !strings.ContainsRune("._-", c)
	}) < 0
}

func readBounded(name string, most int) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err != nil {
		return nil, err
	}
	if len(b) > most {
		return nil, fmt.Errorf("%s: more than %d bytes", name, most)
	}
	return b, nil
}

// LoadApplet replaces the applet over a channel to the card manager, and records
// the intent before and the outcome after.
func (r *Run) LoadApplet(ctx context.Context, ch *perso.Channel) error {
	file, version, err := r.appletFile(ch.Variant().SCP)
	if err != nil {
		status := wire.StatusUpgradeApplet
		if errors.Is(err, ErrAppletVersion) {
			status = wire.StatusMisconfiguration
		}
		return Failf(status, err, "choosing applet")
	}
	o := r.loadOptions(file)
	if err := perso.CheckLoad(ch, o); err != nil {
		return Failf(wire.StatusUpgradeApplet, err, "choosing applet %s", version)
	}
	step, err := r.Card.Begin(ctx, token.IntentLoadApplet, r.Card.Record().AppletID, version)
	if err != nil {
		return Failf(wire.StatusUpdateTokenDBFailed, err, "recording intent to load applet")
	}
	if err := r.At(FailLoadIntent); err != nil {
		return err
	}
	if err := perso.LoadApplet(ctx, ch, o); err != nil {
		return Failf(wire.StatusUpgradeApplet, err, "loading applet %s", version)
	}
	if err := r.At(FailLoadDone); err != nil {
		return err
	}
	if err := step.Done(ctx); err != nil {
		return Failf(wire.StatusUpdateTokenDBFailed, err, "recording applet %s", version)
	}
	r.Log.Info("applet loaded", "version", version, "bytes", len(file))
	return r.At(FailLoadOutcome)
}

func (r *Run) loadOptions(file []byte) perso.LoadOptions {
	from, to := r.Load[0], r.Load[1]
	last := from - 1
	return perso.LoadOptions{
		Form: r.Facts.CardForm(), ISD: r.Facts.ISD,
		Package: r.Settings.Package, Instance: r.Settings.Instance, Old: r.Settings.Old,
		File: file, BlockSize: r.Settings.BlockSize,
		InstanceSize: r.Settings.InstanceSize, MemorySize: r.Settings.MemorySize,
		Progress: func(ctx context.Context, done, total int) error {
			percent := from + (to-from)*done/total
			if percent <= last {
				return nil
			}
			last = percent
			return r.Client.Progress(ctx, percent, taskAppletBlock)
		},
	}
}

// AppletID reads what the applet says it is. A card that says nothing has what was
// loaded.
func (r *Run) AppletID(ctx context.Context) (string, error) {
	a, err := perso.ReadApplet(ctx, r.Client, r.Settings.Instance)
	if err != nil {
		return "", err
	}
	want := r.Card.Record().AppletID
	switch got := a.Version(); got {
	case "":
		return want, nil
	case want:
		return got, nil
	default:
		r.Log.Warn("applet names another version than its load file", "applet", got, "file", want)
		return got, nil
	}
}

// WriteIssuerInfo writes the issuer's address over a channel to the applet.
func (r *Run) WriteIssuerInfo(ctx context.Context) error {
	if !r.Conf.WriteIssuer {
		return nil
	}
	ch, err := r.OpenApplet(ctx, ChannelFor{Encrypted: true})
	if err != nil {
		return err
	}
	err = perso.WriteIssuerInfo(ctx, ch, r.Conf.IssuerInfo)
	return Failf(wire.StatusBadStatus, err, "writing issuer info")
}
