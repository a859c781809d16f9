package instance

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/keystore"
	"tokenwright/tms/keystore/soft"
)

// masterPlan is a master key of a new instance and the shipped key sets that it serves.
type masterPlan struct {
	name    string
	spec    keystore.Spec
	keySets []string
}

// masters are the master keys of a new instance, all of key version 02.
var masters = []masterPlan{
	{"master-02-des3", keystore.DES3, []string{"defKeySet", "jForte"}},
	{"master-02-aes", keystore.AES128, []string{"aesKeySet"}},
}

// writeKeystores makes both key stores: master keys in the TKS's, the shared secret in both.
func (p *plan) writeKeystores(ctx context.Context) error {
	secret, err := newSecret()
	if err != nil {
		return err
	}
	for _, s := range []struct {
		name, what string
		fill       func(context.Context, keystore.Store) error
	}{
		{TKS, "key store of the TKS: master keys, secret shared with the TPS", p.makeMasters},
		{TPS, "key store of the TPS: secret shared with the TKS", nil},
	} {
		dir := filepath.Join(p.dir, s.name)
		passphrase, err := newPassphrase()
		if err != nil {
			return err
		}
		line := append(passphrase[:len(passphrase):len(passphrase)], '\n')
		if err := writeNew(filepath.Join(dir, passphraseFile), line, secretMode); err != nil {
			return err
		}
		store, err := soft.Create(filepath.Join(dir, keystoreFile), passphrase,
			soft.WithCost(p.Cost))
		if err != nil {
			return fmt.Errorf("key store of %s: %w", s.name, err)
		}
		if _, err := store.Import(ctx, p.secretName(), secret); err != nil {
			return fmt.Errorf("key store of %s: %w", s.name, err)
		}
		if s.fill != nil {
			if err := s.fill(ctx, store); err != nil {
				return fmt.Errorf("key store of %s: %w", s.name, err)
			}
		}
		if err := store.Close(); err != nil {
			return fmt.Errorf("key store of %s: %w", s.name, err)
		}
		p.note(s.what, s.name, keystoreFile)
		p.note("opens it; readable by its owner only", s.name, passphraseFile)
	}
	return nil
}

func (p *plan) makeMasters(ctx context.Context, store keystore.Store) error {
	for _, m := range masters {
		if _, err := store.Generate(ctx, m.name, m.spec); err != nil {
			return err
		}
	}
	infos, err := store.List(ctx)
	if err != nil {
		return err
	}
	for _, m := range masters {
		for _, i := range infos {
			if i.Name == m.name {
				p.made.MasterKeys = append(p.made.MasterKeys, MasterKey{Name: m.name, Version: "02",
					Algorithm: string(m.spec), KCV: i.KCV.String(), KeySets: m.keySets})
			}
		}
	}
	return nil
}

// newSecret makes the AES-256 key that TKS and TPS share.
func newSecret() (keys.Key, error) {
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		return keys.Key{}, fmt.Errorf("shared secret: %w", err)
	}
	defer clear(b[:])
	return keys.New(keys.AES, b[:])
}
