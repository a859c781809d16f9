package simcard

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"tokenwright/simcard/applet"
	"tokenwright/simcard/coolkey"
	"tokenwright/simcard/isd"
	"tokenwright/simcard/nvm"
	"tokenwright/simcard/registry"
	"tokenwright/simcard/stock"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/keys"
)

// identity is what a card is from its making on, as one record. It holds the stock whole, so that a
// card stays what it is when the stock of its name changes.
type identity struct {
	Stock stock.Stock
	CPLC  [stock.CPLCLen]byte
	KDD   keys.KDD
}

const identityName = "card"

// check refuses what no card writes.
func (id identity) check() error {
	switch s := id.Stock; {
	case len(s.ATR) < minATR || len(s.ATR) > maxATR:
		return fmt.Errorf("ATR of %d bytes", len(s.ATR))
	case !s.ISD.Valid():
		return fmt.Errorf("AID of %d bytes", len(s.ISD))
	case s.Quirks.AuthTries < 0 || s.Quirks.AuthTries > 0xFF:
		return fmt.Errorf("%d authentication tries", s.Quirks.AuthTries)
	}
	return nil
}

// identify reads who the card is, or makes a new one of stock s.
func (c *Card) identify(s *stock.Stock) error {
	b, ok := c.mem.Get(identityName)
	if !ok {
		if s == nil {
			return errors.New("there is no card in this state file")
		}
		return c.make(*s)
	}
	if err := json.Unmarshal(b, &c.id); err != nil {
		return fmt.Errorf("card identity: %w: %w", nvm.ErrCorrupt, err)
	}
	if err := c.id.check(); err != nil {
		return fmt.Errorf("card identity: %w: %w", nvm.ErrCorrupt, err)
	}
	if s != nil && s.Name != c.id.Stock.Name {
		return fmt.Errorf("the state file holds a card of stock %s, not %s", c.id.Stock.Name, s.Name)
	}
	if len(c.setup.factory) > 0 || c.setup.applet != nil {
		return ErrExisting
	}
	return nil
}

// make writes a new card in one commit.
func (c *Card) make(s stock.Stock) error {
	id, err := s.Make(source(c.setup.random, c.setup.seed, 0, 0))
	if err != nil {
		return err
	}
	f := factory{stock: s, id: id}
	slices.SortStableFunc(c.setup.factory, func(a, b change) int { return a.phase - b.phase })
	for _, change := range c.setup.factory {
		if err := change.apply(&f); err != nil {
			return err
		}
	}
	if aes := f.id.Keys.ENC.Algorithm() == keys.AES; aes != (f.stock.SCP == 3) {
		return fmt.Errorf("making a card of %s: %v keys do not go with SCP%02X", s.Name,
			f.id.Keys.ENC.Algorithm(), f.stock.SCP)
	}
	c.id = identity{Stock: f.stock, CPLC: f.id.CPLC, KDD: f.id.KDD}
	if err := c.id.check(); err != nil {
		return fmt.Errorf("making a card of %s: %w", s.Name, err)
	}
	b, err := json.Marshal(c.id)
	if err != nil {
		return err
	}
	err = c.mem.Update(func(tx *nvm.Tx) error {
		tx.Put(identityName, b)
		return isd.Initialize(tx, f.stock, f.id.Keys, f.seq)
	})
	if err != nil {
		return err
	}
	return c.preload()
}

// preload puts the applet on a new card that shall have it.
func (c *Card) preload() error {
	p := c.setup.applet
	if p == nil {
		return nil
	}
	reg, err := registry.Open(c.mem, c.id.Stock.Memory.Persistent)
	if err != nil {
		return err
	}
	file := registry.File{
		AID: lang.PackageAID, Major: 1, Modules: []gp.AID{lang.AppletAID},
		Build: []byte(p.version.String()),
	}
	if err := reg.AddFile(file, nil); err != nil {
		return fmt.Errorf("preloading the applet: %w", err)
	}
	m := coolkey.Model{Version: p.version}
	app := registry.App{
		AID: lang.AppletAID, File: lang.PackageAID, Module: lang.AppletAID,
		State: gp.AppSelectable, Size: m.Size(p.params),
	}
	err = reg.AddApp(app, func(tx *nvm.Tx) error {
		env := c.env(app, nil)
		return m.Install(env, env.Memory.In(tx), p.params)
	})
	if err != nil {
		return fmt.Errorf("installing the applet: %w", err)
	}
	return nil
}

// identifyFile keeps the version of a load file whose code the card can run.
func identifyFile(f *registry.File, parsed gp.LoadFile, data []byte) {
	if !coolkey.IsPackage(parsed) {
		return
	}
	sum := sha256.Sum256(data)
	f.Build = []byte(coolkey.Identify(parsed, len(data), hex.EncodeToString(sum[:])).String())
}

// model gives the code of a module.
func model(f registry.File, module gp.AID) applet.Model {
	if f.AID.Equal(lang.PackageAID) && module.Equal(lang.AppletAID) {
		if v, err := coolkey.ParseVersion(string(f.Build)); err == nil {
			return coolkey.Model{Version: v}
		}
	}
	return applet.Opaque{}
}

// env is the runtime of one instance.
func (c *Card) env(app registry.App, random io.Reader) applet.Env {
	env := applet.Env{
		AID: app.AID, Memory: applet.NewMemory(c.mem, registry.AppMemory(app.AID)),
		Random: random, Life: life{c.registry, app.AID}, Nonce: c.setup.nonce,
	}
	if c.domain != nil {
		env.Channel = c.domain.ChannelFor(app.AID)
	}
	return env
}
