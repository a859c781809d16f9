package isd

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"tokenwright/simcard/applet"
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
	KDD      keys.KDD
	Memory   *nvm.Memory
	Registry *registry.Registry
	Random   io.Reader
	// CardChallenge, when not nil, is the start of every card challenge: 8 bytes, 6 suffice for
	// SCP02. It lets a recorded session be replayed.
	CardChallenge []byte
	// Identify fills in what the card makes of a load file: the version of the code it knows.
	Identify func(*registry.File, gp.LoadFile, []byte)
	// Model gives the code of a module; Env what its instance gets from the runtime.
	Model func(registry.File, gp.AID) applet.Model
	Env   func(registry.App) applet.Env
}

// Domain is the issuer security domain between one power-on and the next. Its methods are called one
// at a time.
type Domain struct {
	Config
	variant scp.Variant
	sets    []keySet
	life    gp.CardState
	tries   int
	session session
	load    *loading
	pages   pager
	store   storing
}

// Open reads the domain's state from the card memory.
func Open(c Config) (*Domain, error) {
	d := &Domain{Config: c, variant: scp.Variant{SCP: c.Stock.SCP, I: c.Stock.I}}
	if err := d.variant.Validate(); err != nil {
		return nil, err
	}
	if c.CardChallenge != nil && len(c.CardChallenge) < d.challengeLen() {
		return nil, fmt.Errorf("card challenge of %d bytes, want %d", len(c.CardChallenge),
			d.challengeLen())
	}
	if err := d.read(); err != nil {
		return nil, fmt.Errorf("issuer security domain: %w", err)
	}
	return d, nil
}

// Initialize writes the factory state of a new card: key set, life cycle, no failed tries. seq is
// the sequence counter of the key set as the next INITIALIZE UPDATE answers it, nil for the start.
func Initialize(tx *nvm.Tx, s stock.Stock, set keys.KeySet, seq []byte) error {
	sets, err := marshalSets([]keySet{factorySet(set)})
	if err != nil {
		return err
	}
	tx.Put(nameSets, sets)
	tx.Put(nameLife, []byte{s.LifeCycle})
	tx.Put(nameTries, []byte{byte(s.Quirks.AuthTries)})
	if len(seq) > 0 {
		v := scp.Variant{SCP: s.SCP, I: s.I}
		return putStartCounter(tx, v, set.KVN, seq)
	}
	return nil
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
	d.session.end()
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
		return d.externalAuthenticate(cmd)
	}
	if !d.session.engaged() || d.mayStayPlain(cmd) {
		if apdu.Secure(cmd.CLA) {
			return apdu.Response{SW: apdu.SW6982}, nil
		}
		return d.answer(cmd, false)
	}
	plain, err := d.session.unwrap(cmd)
	if err != nil {
		return applet.Answer(nil, err)
	}
	resp, err := d.inSession(plain)
	if err != nil {
		return apdu.Response{}, err
	}
	return d.session.wrap(resp)
}

// inSession answers a command of an open session. BEGIN and END R-MAC SESSION are the protocol's
// own (GPCS 2.3.1 §E.5.3, §E.5.4).
func (d *Domain) inSession(cmd apdu.Command) (apdu.Response, error) {
	if d.variant.RMAC() && cmd.INS == gp.INSBeginRMAC {
		return d.session.card.BeginRMAC(cmd), nil
	}
	if d.variant.RMAC() && cmd.INS == gp.INSEndRMAC {
		return d.session.card.EndRMAC(cmd), nil
	}
	return d.answer(cmd, true)
}

func (d *Domain) mayStayPlain(cmd apdu.Command) bool {
	return d.Stock.Quirks.PlainGetData && cmd.INS == gp.INSGetData && !apdu.Secure(cmd.CLA) &&
		d.session.phase == sessionOpen
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
		gp.INSPutKey: d.putKey, gp.INSStoreData: d.storeData, gp.INSDelete: d.delete,
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

// refusal turns an error of a command's Parse function into the status word for it.
func refusal(err error) error {
	switch {
	case errors.Is(err, gp.ErrClass):
		return apdu.SW6E00
	case errors.Is(err, gp.ErrInstruction):
		return apdu.SW6D00
	case errors.Is(err, gp.ErrParameter):
		return apdu.SW6A86
	case errors.Is(err, gp.ErrLength):
		return apdu.SW6700
	}
	return apdu.SW6A80
}
