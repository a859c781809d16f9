package instance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"tokenwright/tms/ca"
	"tokenwright/tms/conf"
)

// InstallCA gives a CA that was made for another's root the certificate that it got: text is the
// certificate and those above it up to the root, in PEM form. One that is there is replaced, if the
// new one is of the same key: that is how a CA's own certificate is renewed.
func InstallCA(ctx context.Context, dir, name string, text []byte) error {
	if err := installCA(ctx, dir, name, text); err != nil {
		return fmt.Errorf("installing certificate of %s: %w", name, err)
	}
	return nil
}

func installCA(ctx context.Context, dir, name string, text []byte) error {
	if !IsCA(name) {
		return fmt.Errorf("name %q: want ca and a number, as ca1", name)
	}
	chain, err := parseChain(text)
	if err != nil {
		return err
	}
	p, err := newPart(dir, name, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	store, err := p.openKeystore()
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }() // it was only read
	key, err := store.Signer(ctx, p.conf.StringOr("ca.signing.keyNickname", caKeyName))
	if err != nil {
		return err
	}
	if err := ca.CheckChain(key.Public(), chain); err != nil {
		return err
	}
	nickname := p.conf.StringOr("ca.signing.certNickname", caKeyName)
	path := under(filepath.Join(p.dir, certsDir), nickname) + ".crt"
	if err := replaceFile(path, chainPEM(chain...)); err != nil {
		return err
	}
	return connectTPS(dir, name)
}

// replaceFile puts a public file into another's place, so that readers see the one or the other.
func replaceFile(path string, data []byte) error {
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeNew(tmp, data, publicMode); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// connectTPS tells a TPS beside a CA where it is, unless its configuration says so already.
func connectTPS(dir, name string) error {
	path := filepath.Join(dir, TPS, configFile)
	file, err := conf.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	p, err := newPart(dir, name, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	head := "tps.connector." + name + "."
	chain, err := loadChain(p.dir, p.conf.StringOr("ca.signing.certNickname", caKeyName))
	if err != nil {
		return err
	}
	own := filepath.Join(dir, TPS, certsDir, name+".crt")
	if err := os.WriteFile(own, chainPEM(chain[0]), publicMode); err != nil {
		return err
	}
	if _, _, there := file.Get(head + "host"); there {
		return nil
	}
	host, port, err := net.SplitHostPort(dialable(p.listen))
	if err != nil {
		return err
	}
	for _, kv := range [][2]string{
		{"enable", "true"}, {"host", host}, {"port", port}, {"caNickname", name},
		{"uri.enrollment", "/ca/ee/ca/profileSubmitSSLClient"},
		{"uri.renewal", "/ca/ee/ca/profileSubmitSSLClient"},
		{"uri.getcert", "/ca/ee/ca/displayBySerial"},
		{"uri.revoke", "/ca/ee/subsystem/ca/doRevoke"},
		{"uri.unrevoke", "/ca/ee/subsystem/ca/doUnrevoke"},
	} {
		if err := file.Set(head+kv[0], kv[1]); err != nil {
			return err
		}
	}
	list, _, _ := file.Get("tps.connCAList")
	if list != "" {
		list += ","
	}
	if err := file.Set("tps.connCAList", list+name); err != nil {
		return err
	}
	return file.WriteFile(path)
}
