package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"time"

	"tokenwright/fixtures/applets"
	"tokenwright/simcard"
	"tokenwright/simcard/nvm"
	"tokenwright/simcard/stock"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/perso"
)

// wish is the card that shall be made.
type wish struct {
	stock      stock.Stock
	state      string
	user       string
	pin        coolkey.PIN
	defaultPIN bool
	keys       []keySpec
	imported   bool
	separate   bool
	plain      bool
	certOut    string
}

// issuerURL is where the card says that its TPS is. There is none.
const issuerURL = "https://tps.example.test:8443/tps/phoneHome"

// The applets that go with a card's protocol.
const (
	appletDES = "1.4.58768072"
	appletAES = "1.5.65cbf5a6"
)

// What a TPS asks for when it installs the applet, in bytes; the applet's memory grows with keys
// beyond the usual two.
const (
	instanceSize  = 18000
	memorySize    = 5000
	memoryPerKey  = 2200
	usualKeyCount = 2
)

func (w wish) appletVersion() string {
	if w.stock.SCP == 3 {
		return appletAES
	}
	return appletDES
}

func (w wish) memory() int { return memorySize + memoryPerKey*max(0, len(w.keys)-usualKeyCount) }

// fulfil makes the card in memory and writes it to the state file at the end.
func (w wish) fulfil(ctx context.Context, seed *int64) (*made, error) {
	chip := nvm.NewRAM(nil)
	opts := []simcard.Option{simcard.WithDevice(chip)}
	p := personalization{wish: w, random: rand.Reader}
	now := time.Now().UTC().Truncate(time.Hour)
	from, to := now, now.AddDate(10, 0, 0)
	if seed != nil {
		opts = append(opts, simcard.WithSeed(*seed))
		b := binary.BigEndian.AppendUint64([]byte("personalize"), uint64(*seed))
		p.random = mathrand.NewChaCha8(sha256.Sum256(b))
		from = time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC)
		to = time.Date(2049, time.December, 31, 0, 0, 0, 0, time.UTC)
	}
	var err error
	if p.authority, err = newAuthority(p.random, from, to); err != nil {
		return nil, fmt.Errorf("making the authority: %w", err)
	}
	if p.card, err = simcard.New(w.stock, opts...); err != nil {
		return nil, err
	}
	err = p.run(ctx)
	if cerr := p.card.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("personalizing: %w", err)
	}
	if err := writeNew(w.state, chip.Image(), 0o600); err != nil {
		return nil, err
	}
	m := p.made()
	if w.certOut != "" {
		if m.CA, err = writeCertificates(w.certOut, p.authority.cert.Raw, m.Keys); err != nil {
			return nil, fmt.Errorf("the card is in %s, but its certificates are not written: %w", w.state,
				err)
		}
	}
	return m, nil
}

// personalization is a card on its way to a user.
type personalization struct {
	wish
	random    io.Reader
	authority *authority
	card      *simcard.Card
	keyring   keyring
	channel   *perso.Channel
	content   content.Content
}

// run does to the card what a TPS does at format and enrollment.
func (p *personalization) run(ctx context.Context) error {
	if err := p.card.PowerOn(); err != nil {
		return err
	}
	set, err := p.stock.FactoryKeys(p.card.KDD())
	if err != nil {
		return err
	}
	p.keyring = keyring{set}
	for _, step := range []func(context.Context) error{
		p.loadApplet, p.openApplet, p.setPIN, p.makeKeys, p.writeContent, p.finish,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// loadApplet loads the applet over a channel to the card manager.
func (p *personalization) loadApplet(ctx context.Context) error {
	facts, err := perso.ReadFacts(ctx, p.card, perso.FactsOptions{ISDs: isds(p.stock)})
	if err != nil {
		return err
	}
	file, err := applets.File(p.appletVersion())
	if err != nil {
		return err
	}
	if err := p.open(ctx); err != nil {
		return err
	}
	return perso.LoadApplet(ctx, p.channel, perso.LoadOptions{
		Form: facts.CardForm(), ISD: facts.ISD, Package: coolkey.PackageAID,
		Instance: coolkey.AppletAID, File: file, InstanceSize: instanceSize, MemorySize: p.memory(),
	})
}

func (p *personalization) openApplet(ctx context.Context) error {
	if err := perso.SelectApplet(ctx, p.card, coolkey.AppletAID); err != nil {
		return err
	}
	return p.open(ctx)
}

func (p *personalization) setPIN(ctx context.Context) error {
	return perso.SetPIN(ctx, p.channel, perso.PINOptions{PIN: p.pin})
}

// makeKeys brings all keys onto the card, each with its certificate.
func (p *personalization) makeKeys(ctx context.Context) error {
	start := make([]byte, 2)
	if _, err := io.ReadFull(p.random, start); err != nil {
		return err
	}
	const versions = 1000 // a new token's content has a version below
	p.content = content.Content{
		CUID: p.card.CUID(), TokenName: p.user, Version: binary.BigEndian.Uint16(start) % versions,
	}
	for _, spec := range p.keys {
		key, err := p.makeKey(ctx, spec)
		if err != nil {
			return fmt.Errorf("%s key: %w", spec.purpose.name, err)
		}
		der, err := p.authority.issue(spec, p.user, key)
		if err != nil {
			return fmt.Errorf("%s certificate: %w", spec.purpose.name, err)
		}
		pair, err := content.NewPair(spec.container, content.PairSlots(spec.container), key,
			spec.public, spec.private)
		if err != nil {
			return err
		}
		p.content.Certificates = append(p.content.Certificates,
			content.NewCertificate(spec.container, spec.label(p.user), der))
		p.content.Keys = append(p.content.Keys, pair...)
	}
	return nil
}

func (p *personalization) makeKey(ctx context.Context, spec keySpec) (crypto.PublicKey, error) {
	slots := content.PairSlots(spec.container)
	address := coolkey.PairAddress{Private: slots.Private, Public: slots.Public}
	if p.imported {
		return p.importKey(ctx, spec, address)
	}
	o := perso.GenerateOptions{
		Pair: address, EC: spec.ec, Bits: spec.bits,
		Encrypt: func(_ context.Context, plain []byte) ([]byte, error) {
			return p.channel.EncryptDEK(p.keyring.set.DEK, plain)
		},
	}
	if _, err := io.ReadFull(p.random, o.Challenge[:]); err != nil {
		return nil, err
	}
	return perso.GenerateKey(ctx, p.channel, o)
}

func (p *personalization) writeContent(ctx context.Context) error {
	return perso.WriteContent(ctx, p.channel, &p.content, perso.ContentOptions{
		Separate: p.separate, Plain: p.plain,
	})
}

func (p *personalization) finish(ctx context.Context) error {
	if err := perso.WriteIssuerInfo(ctx, p.channel, issuerURL); err != nil {
		return err
	}
	if err := perso.SetLifeCycle(ctx, p.channel, coolkey.StatePersonalized); err != nil {
		return err
	}
	_, err := perso.ClearKeySlots(ctx, p.channel, p.content.Pairs())
	return err
}
