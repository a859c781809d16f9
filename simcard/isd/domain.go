package isd

import (
	"fmt"
	"slices"

	"tokenwright/simcard/applet"
	"tokenwright/simcard/channel"
	"tokenwright/simcard/nvm"
	"tokenwright/simcard/registry"
	"tokenwright/simcard/stock"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// Config is what a domain is made of.
type Config struct {
	Stock    stock.Stock
	CPLC     [stock.CPLCLen]byte
	Memory   *nvm.Memory
	Registry *registry.Registry
	Channel  channel.Config
	// Identify fills in what the card makes of a load file: the version of the code it knows.
	Identify func(*registry.File, gp.LoadFile, []byte)
	// Model gives the code of a module; Env what its instance gets from the runtime.
	Model func(registry.File, gp.AID) applet.Model
	Env   func(registry.App) applet.Env
}

// Domain is the issuer security domain between one power-on and the next. Its methods are called
// one at a time.
type Domain struct {
	Config
	channel *channel.Channel
	life    gp.CardState
	load    *loading
	pages   pager
	store   storing
}

// Names of records.
const (
	nameLife = "isd/life"
	nameData = "isd/data/"
)

// Open reads the domain's state from the card memory.
func Open(c Config) (*Domain, error) {
	d := &Domain{Config: c}
	life, ok := c.Memory.Get(nameLife)
	if !ok || len(life) != 1 || !gp.CardState(life[0]).Valid() {
		return nil, fmt.Errorf("issuer security domain: life cycle: %w", nvm.ErrCorrupt)
	}
	d.life = gp.CardState(life[0])
	var err error
	if d.channel, err = channel.Open(c.Channel); err != nil {
		return nil, fmt.Errorf("issuer security domain: %w", err)
	}
	d.readKDD()
	return d, nil
}

// Initialize writes the factory state of a new card: key set, life cycle, no failed tries. seq is
// the sequence counter of the key set as the next INITIALIZE UPDATE answers it, nil for the start.
func Initialize(tx *nvm.Tx, s stock.Stock, set keys.KeySet, seq []byte) error {
	tx.Put(nameLife, []byte{s.LifeCycle})
	v := scp.Variant{SCP: s.SCP, I: s.I}
	return channel.Initialize(tx, v, s.Quirks.AuthTries, set, seq)
}

// readKDD takes key diversification data that STORE DATA has brought in place of the factory's.
func (d *Domain) readKDD() {
	if v, ok := d.Memory.Get(dataName(gp.TagKDD)); ok {
		copy(d.channel.KDD[:], v)
	}
}

// Life is the life cycle state of the card.
func (d *Domain) Life() gp.CardState { return d.life }

// AID is the domain's own.
func (d *Domain) AID() gp.AID { return d.Stock.ISD }

// Named tells whether a full or partial AID names the domain, and the AID that it matches.
func (d *Domain) Named(aid gp.AID) bool {
	for _, own := range append([]gp.AID{d.Stock.ISD}, d.Stock.Aliases...) {
		if own.HasPrefix(aid) {
			return true
		}
	}
	return false
}

// FCI is what the domain answers SELECT with (GPCS 2.3.1 §11.9.3.1).
func (d *Domain) FCI() []byte {
	return gp.FCI{AID: d.Stock.ISD, MaxData: []byte{0xFF}}.Bytes()
}

// EndSession terminates the secure channel, as a selection does (GPCS 2.3.1 §10.2.3), and with it
// what a session had under way.
func (d *Domain) EndSession() error {
	d.channel.End()
	d.pages = pager{}
	d.store = storing{}
	return d.dropLoad()
}

// Process answers a command to the domain.
func (d *Domain) Process(cmd apdu.Command) (apdu.Response, error) {
	if sw := d.classError(cmd.CLA); sw != 0 {
		return apdu.Response{SW: sw}, nil
	}
	if d.life == gp.CardTerminated && cmd.INS != gp.INSGetData {
		return apdu.Response{SW: apdu.SW6985}, nil // GPCS 2.3.1 §5.1.1.5
	}
	switch cmd.INS {
	case gp.INSInitializeUpdate:
		return d.initializeUpdate(d.AID(), cmd)
	case gp.INSExternalAuthenticate:
		return d.channel.ExternalAuthenticate(cmd)
	}
	if !d.channel.Engaged() || d.mayStayPlain(cmd) {
		if apdu.Secure(cmd.CLA) {
			return apdu.Response{SW: apdu.SW6982}, nil
		}
		return d.answer(cmd, false)
	}
	plain, err := d.channel.Unwrap(cmd)
	if err != nil {
		return applet.Answer(nil, err)
	}
	resp, err := d.inSession(plain)
	if err != nil {
		return apdu.Response{}, err
	}
	return d.channel.Wrap(resp)
}

// inSession answers a command of an open session.
func (d *Domain) inSession(cmd apdu.Command) (apdu.Response, error) {
	if resp, own := d.channel.RMAC(cmd); own {
		return resp, nil
	}
	return d.answer(cmd, true)
}

// initializeUpdate ends what a session had under way before another one starts.
func (d *Domain) initializeUpdate(aid gp.AID, cmd apdu.Command) (apdu.Response, error) {
	if err := d.EndSession(); err != nil {
		return apdu.Response{}, err
	}
	return d.channel.InitializeUpdate(aid, cmd)
}

func (d *Domain) mayStayPlain(cmd apdu.Command) bool {
	return d.Stock.Quirks.PlainGetData && cmd.INS == gp.INSGetData && !apdu.Secure(cmd.CLA) &&
		d.channel.Authenticated()
}

// classError refuses classes that are none (6E00) and logical channels other than the basic one,
// which is all the card has (6881).
func (d *Domain) classError(cla byte) apdu.SW {
	switch {
	case cla == 0xFF, cla&0xE0 == 0x20, cla&0xE0 == 0xA0, cla&0xD0 == 0x10, cla&0xD0 == 0x90:
		return apdu.SW6E00
	case apdu.Channel(cla) != 0:
		return apdu.SW6881
	}
	return 0
}

// answer runs a command without its protection.
func (d *Domain) answer(cmd apdu.Command, authenticated bool) (apdu.Response, error) {
	return applet.Answer(d.dispatch(cmd, authenticated))
}

// managing are the commands that change the card's content: a locked card refuses them (GPCS 2.3.1
// §5.1.1.4).
var managing = []byte{gp.INSPutKey, gp.INSStoreData, gp.INSDelete, gp.INSInstall, gp.INSLoad}

func (d *Domain) dispatch(cmd apdu.Command, authenticated bool) ([]byte, error) {
	if cmd.INS == gp.INSGetData {
		return d.getData(cmd)
	}
	handler := map[byte]func(apdu.Command) ([]byte, error){
		gp.INSPutKey: d.channel.PutKey, gp.INSStoreData: d.storeData, gp.INSDelete: d.delete,
		gp.INSInstall: d.install, gp.INSLoad: d.loadBlock, gp.INSSetStatus: d.setStatus,
		gp.INSGetStatus: d.getStatus,
	}[cmd.INS]
	switch {
	case handler == nil && cmd.INS == gp.INSSelect:
		return nil, apdu.SW6A86 // SELECT other than by name
	case handler == nil && cmd.INS == gp.INSManageChannel:
		return nil, apdu.SW6881
	case handler == nil:
		return nil, apdu.SW6D00
	case cmd.CLA&0x80 == 0:
		return nil, apdu.SW6E00
	case !authenticated:
		return nil, apdu.SW6982
	case d.life == gp.CardLocked && slices.Contains(managing, cmd.INS):
		return nil, apdu.SW6985
	}
	if cmd.INS != gp.INSLoad && cmd.INS != gp.INSGetStatus {
		if err := d.dropLoad(); err != nil {
			return nil, err
		}
	}
	if cmd.INS != gp.INSStoreData {
		d.store = storing{}
	}
	return handler(cmd)
}
