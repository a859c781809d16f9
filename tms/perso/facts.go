package perso

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// Facts are what a card tells about itself before anybody authenticates. All of
// it is the card's own word.
type Facts struct {
	// ISD is the AID of the card manager that was selected.
	ISD gp.AID
	// CPLC is the card production life cycle answer as the card gave it.
	CPLC []byte
	// CUID is the card's unique identifier, cut from CPLC.
	CUID keys.CUID
	// MSN is the card's serial number, the last 4 bytes of CPLC.
	MSN [4]byte
	// Recognition tells whether card recognition data was found. A card without
	// it is taken for one of GP 2.0.1 that speaks SCP01.
	Recognition bool
	// Variants are the secure channel protocols that the card announces.
	Variants []scp.Variant
	// Keys lists the keys of the card manager; empty when the card doesn't say.
	Keys gp.KeyInformationTemplate
	// Applet tells about the applet.
	Applet Applet
}

// Applet is what is known of the applet on a card.
type Applet struct {
	// Present tells whether the applet could be selected and answered as one.
	Present bool
	// HasStatus, HasVersion and HasLifeCycle tell which answers came.
	HasStatus, HasVersion, HasLifeCycle bool
	// Status holds protocol and applet version, memory, PINs and keys.
	Status coolkey.Status
	// BuildID is the time stamp of the build.
	BuildID coolkey.Version
	// LifeCycle is the applet's life cycle state.
	LifeCycle coolkey.LifeCycle
}

// Version gives the applet's version as token records hold it,
// "major.minor.build" with the build in 8 lower-case hex digits, and "" when
// the card gave no version.
func (a Applet) Version() string {
	if !a.HasStatus || !a.HasVersion {
		return ""
	}
	return a.Status.VersionText(a.BuildID)
}

// FactsOptions says where to look for facts.
type FactsOptions struct {
	// ISDs are the card managers that are accepted, in order of trial; at least one.
	ISDs []gp.AID
	// Applet is the instance to ask; none means the card manager's facts alone.
	Applet gp.AID
	// LifeCycle asks for the applet's life cycle state too.
	LifeCycle bool
}

// ErrNoCardManager means that a card has none of the accepted card managers.
var ErrNoCardManager = errors.New("no accepted card manager on the card")

// cplcLen is the length of a whole GET DATA 9F7F answer without status word.
const cplcLen = 45

// ReadFacts selects the card manager, reads CPLC, card recognition data and key
// information, then asks the applet for its status and version. What is only
// nice to have may be missing; a card manager and CPLC must be there. The
// applet is selected when it returns, if it was found.
func ReadFacts(ctx context.Context, t Transmitter, o FactsOptions) (Facts, error) {
	var f Facts
	var err error
	if f.ISD, err = SelectISD(ctx, t, o.ISDs); err != nil {
		return Facts{}, err
	}
	if err := f.readCPLC(ctx, t); err != nil {
		return Facts{}, err
	}
	if err := f.readRecognition(ctx, t); err != nil {
		return Facts{}, err
	}
	if err := f.readKeyInformation(ctx, t); err != nil {
		return Facts{}, err
	}
	if len(o.Applet) == 0 {
		return f, nil
	}
	if f.Applet, err = readApplet(ctx, t, o); err != nil {
		return Facts{}, err
	}
	return f, nil
}

// SelectISD selects the card manager and gives its AID: first the card's
// default one, confirmed by a second SELECT when its FCI names an accepted AID
// or one that begins with an accepted AID, then the accepted ones in their order. A card that answers the default
// SELECT with no FCI is asked for each accepted AID in turn.
func SelectISD(ctx context.Context, t Transmitter, accepted []gp.AID) (gp.AID, error) {
	resp, err := exchange(ctx, t, gp.Select{Ne: 256}.Command())
	if err != nil {
		return nil, fail(StepSelectISD, err)
	}
	order := accepted
	if aid := fciAID(resp); aid != nil && covered(accepted, aid) {
		order = append([]gp.AID{aid}, accepted...)
	}
	last := resp.Err()
	for _, aid := range order {
		resp, err := exchange(ctx, t, gp.Select{AID: aid, Ne: 256}.Command())
		if err != nil {
			return nil, fail(StepSelectISD, err)
		}
		if last = resp.Err(); last == nil {
			return aid, nil
		}
	}
	if last == nil {
		return nil, fail(StepSelectISD, ErrNoCardManager)
	}
	return nil, fail(StepSelectISD, fmt.Errorf("%w: %w", ErrNoCardManager, last))
}

// fciAID gives the AID that a SELECT answer names, nil when it names none: some
// cards answer no FCI, some a bare AID, some an FCI with an empty one.
func fciAID(resp apdu.Response) gp.AID {
	if resp.Err() != nil {
		return nil
	}
	fci, err := gp.ParseFCI(resp.Data)
	if err != nil || len(fci.AID) == 0 {
		return nil
	}
	return fci.AID
}

// covered tells whether an AID is accepted: the shorter AIDs that configurations
// list stand for every AID that begins with them.
func covered(accepted []gp.AID, aid gp.AID) bool {
	for _, a := range accepted {
		if len(a) > 0 && aid.HasPrefix(a) {
			return true
		}
	}
	return false
}

func (f *Facts) readCPLC(ctx context.Context, t Transmitter) error {
	data, err := expect(ctx, t, StepCPLC, gp.GetData{Tag: gp.TagCPLC, Ne: cplcLen}.Command())
	if err != nil {
		return err
	}
	whole := data
	// WORKAROUND(tpsclient): the old test client leaves tag and length as they
	// fall; the fields stand at the same places.
	if len(data) == cplcLen && data[0] != 0x9F {
		whole = append([]byte{0x9F, 0x7F, cplcLen - 3}, data[3:]...)
	}
	c, err := gp.ParseCPLC(whole)
	if err != nil {
		return fail(StepCPLC, err)
	}
	f.CPLC, f.CUID, f.MSN = bytes.Clone(data), c.CUID(), c.MSN()
	return nil
}

// readRecognition reads GET DATA 0066. A refusal, and an answer that is not
// card recognition data (some clients answer CPLC to every GET DATA), mean a
// card that announces nothing.
func (f *Facts) readRecognition(ctx context.Context, t Transmitter) error {
	data, err := f.optional(ctx, t, StepRecognition, gp.TagRecognitionData)
	if err != nil || data == nil {
		return err
	}
	crd, err := gp.ParseCardRecognitionData(data)
	if err != nil {
		return nil
	}
	f.Recognition = true
	for _, v := range crd.Protocols {
		f.Variants = append(f.Variants, scp.Variant{SCP: v.SCP, I: v.I})
	}
	return nil
}

func (f *Facts) readKeyInformation(ctx context.Context, t Transmitter) error {
	data, err := f.optional(ctx, t, StepKeyInformation, gp.TagKeyInformation)
	if err != nil || data == nil {
		return err
	}
	kit, err := gp.ParseKeyInformationTemplate(data)
	if err != nil {
		return nil
	}
	f.Keys = kit
	return nil
}

// optional reads a data object that a card need not have: nil without an error
// when the card refuses or answers CPLC instead.
func (f *Facts) optional(ctx context.Context, t Transmitter, s Step, tag uint16) ([]byte, error) {
	resp, err := exchange(ctx, t, gp.GetData{Tag: tag, Ne: 256}.Command())
	if err != nil {
		return nil, fail(s, err)
	}
	if resp.Err() != nil || len(resp.Data) == 0 || bytes.Equal(resp.Data, f.CPLC) {
		return nil, nil
	}
	return resp.Data, nil
}

// SelectApplet selects the application with this AID.
func SelectApplet(ctx context.Context, t Transmitter, aid gp.AID) error {
	_, err := expect(ctx, t, StepSelectApplet, gp.Select{AID: aid, Ne: 256}.Command())
	return err
}

// ReadApplet selects the applet and reads what it tells about itself. A card
// that refuses gives an Applet that is not Present, and no error.
func ReadApplet(ctx context.Context, t Transmitter, aid gp.AID) (Applet, error) {
	return readApplet(ctx, t, FactsOptions{Applet: aid})
}

func readApplet(ctx context.Context, t Transmitter, o FactsOptions) (Applet, error) {
	var a Applet
	resp, err := exchange(ctx, t, gp.Select{AID: o.Applet, Ne: 256}.Command())
	if err != nil {
		return Applet{}, fail(StepSelectApplet, err)
	}
	if resp.Err() != nil {
		return Applet{}, nil
	}
	data, err := ask(ctx, t, StepAppletStatus, coolkey.GetStatus{}.Command())
	if err != nil {
		return Applet{}, err
	}
	if a.Status, err = coolkey.ParseStatus(data); err == nil {
		a.HasStatus = true
	}
	if data, err = ask(ctx, t, StepAppletVersion, coolkey.GetVersion{}.Command()); err != nil {
		return Applet{}, err
	}
	if a.BuildID, err = coolkey.ParseVersion(data); err == nil {
		a.HasVersion = true
	}
	a.Present = a.HasStatus || a.HasVersion
	if !o.LifeCycle || !a.Present {
		return a, nil
	}
	if data, err = ask(ctx, t, StepAppletLifeCycle, coolkey.GetLifeCycle{}.Command()); err != nil {
		return Applet{}, err
	}
	if a.LifeCycle, err = coolkey.ParseLifeCycle(data); err == nil {
		a.HasLifeCycle = true
	}
	return a, nil
}

// ask sends a command that an applet need not know: no data and no error when it
// refuses.
func ask(ctx context.Context, t Transmitter, s Step, cmd apdu.Command) ([]byte, error) {
	resp, err := exchange(ctx, t, cmd)
	if err != nil {
		return nil, fail(s, err)
	}
	if resp.Err() != nil {
		return nil, nil
	}
	return resp.Data, nil
}

// lastChannelKVN is the last key version for secure channels; those above it are
// for tokens, receipts, DAP and ciphered load files (GPCS 2.3.1 §11.8.2.2).
const lastChannelKVN keys.KVN = 0x6F

// PreferredKVN gives the key version to ask for when the caller has no reason
// for another: that of the card's AES keys when it holds them beside DES keys
// and announces SCP03, else 0, which leaves the choice to the card.
func (f Facts) PreferredKVN() keys.KVN {
	if !f.announces(3) {
		return 0
	}
	var aes keys.KVN
	var des bool
	for _, k := range f.Keys.Keys {
		if len(k.Components) == 0 || k.KVN == 0 || k.KVN > lastChannelKVN && k.KVN != initialKVN {
			continue
		}
		switch t := k.Components[0].Type; {
		case t == gp.KeyAES && aes == 0:
			aes = k.KVN
		case t >= gp.KeyDES && t <= gp.KeyDESCBC:
			des = true
		}
	}
	if !des {
		return 0
	}
	return aes
}

// HoldsBeside tells whether the card lists keys of this version beside those of
// another.
func (f Facts) HoldsBeside(kvn keys.KVN) bool {
	var this, other bool
	for _, k := range f.Keys.Keys {
		this = this || k.KVN == kvn
		other = other || k.KVN != kvn
	}
	return this && other
}

func (f Facts) announces(protocol byte) bool {
	for _, v := range f.Variants {
		if v.SCP == protocol {
			return true
		}
	}
	return false
}
