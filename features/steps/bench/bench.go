package bench

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"

	"tokenwright/features/capability"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// KeySource gives the keys of one version for a card. Set derives them from its diversification data.
type KeySource struct {
	KVN keys.KVN
	Set func(keys.KDD) (keys.KeySet, error)
}

// Bench is one card under test with what is known of it.
type Bench struct {
	*Link
	Facts capability.Set
	// Base is the key set that the card came with, and Known are all sets that the host has.
	Base  KeySource
	Known []KeySource
	// Variant is the protocol; zero until a channel could be opened.
	Variant scp.Variant
	Tagged  bool // GET STATUS has the form of GlobalPlatform 2.2 and later

	FirstATR []byte // the answer to the reset before anything was sent

	ISD  gp.AID
	CPLC []byte // the value of GET DATA 9F7F, nil without it
	CUID keys.CUID
	KDD  keys.KDD

	// LoadFile may be loaded to the card; nil when none may.
	LoadFile []byte
	// Spare makes another card of the same kind that may be used up; nil where there is none.
	Spare func(ctx context.Context) (*Bench, error)
	// SpareAt makes one whose next handshake has a sequence counter.
	SpareAt func(ctx context.Context, counter []byte) (*Bench, error)

	random   *rand.Rand
	snapshot []string // the last one taken, while it holds
	initial  []string // the first one
	present  []gp.AID // applications and load files at the start
}

// New makes a bench around a link. Every random choice follows from seed.
func New(l *Link, seed uint64) *Bench {
	return &Bench{
		Link: l, FirstATR: bytes.Clone(l.ATR()), Facts: capability.Set{}, Tagged: true,
		random: rand.New(rand.NewPCG(seed, 0x63617264)),
	}
}

// Random fills b.
func (b *Bench) Random(out []byte) []byte {
	for i := range out {
		out[i] = byte(b.random.Uint32())
	}
	return out
}

// Do sends a command.
func (b *Bench) Do(ctx context.Context, c apdu.Command) (apdu.Response, error) {
	raw, err := c.Bytes()
	if err != nil {
		return apdu.Response{}, err
	}
	_, resp, err := b.Transmit(ctx, raw)
	return resp, err
}

// SelectISD selects the issuer security domain, by its AID once that is known.
func (b *Bench) SelectISD(ctx context.Context) (apdu.Response, error) {
	resp, err := b.Do(ctx, gp.Select{AID: b.ISD, Ne: apdu.MaxShortNe}.Command())
	if err == nil && !resp.SW.OK() && resp.SW != apdu.SW6283 {
		err = fmt.Errorf("selecting the issuer security domain: %w", resp.SW)
	}
	return resp, err
}

// commonISDs are the AIDs under which issuer security domains are found where SELECT without an AID
// is refused or answers none.
var commonISDs = []gp.AID{
	{0xA0, 0, 0, 0x01, 0x51, 0, 0, 0}, {0xA0, 0, 0, 0, 0x03, 0, 0, 0}, {0xA0, 0, 0, 0, 0x18, 0x43, 0x4D},
}

// Identify finds the issuer security domain and reads who the card is, with as few commands as it
// takes: SELECT, GET DATA 9F7F, and INITIALIZE UPDATE for a card that has no production data.
func (b *Bench) Identify(ctx context.Context) error {
	if err := b.findISD(ctx); err != nil {
		return err
	}
	resp, err := b.Do(ctx, gp.GetData{Tag: gp.TagCPLC, Ne: apdu.MaxShortNe}.Command())
	if err != nil {
		return err
	}
	if cplc, err := gp.ParseCPLC(resp.Data); resp.SW.OK() && err == nil {
		b.CPLC, b.CUID = bytes.Clone(resp.Data), cplc.CUID()
		return nil
	}
	iu := gp.InitializeUpdate{HostChallenge: [8]byte(b.Random(make([]byte, 8))), Ne: apdu.MaxShortNe}
	if resp, err = b.Do(ctx, iu.Command()); err != nil {
		return err
	}
	answer, err := gp.ParseInitializeUpdateResponse(resp.Data)
	if !resp.SW.OK() || err != nil {
		return fmt.Errorf("the card tells no identity: neither production data nor INITIALIZE UPDATE (%w)",
			resp.SW)
	}
	b.CUID = keys.CUID(answer.KDD)
	return nil
}

// findISD learns the AID of the issuer security domain.
func (b *Bench) findISD(ctx context.Context) error {
	resp, err := b.Do(ctx, gp.Select{Ne: apdu.MaxShortNe}.Command())
	if err != nil {
		return err
	}
	if resp.SW.OK() || resp.SW == apdu.SW6283 {
		fci, err := gp.ParseFCI(resp.Data)
		switch {
		case err == nil && fci.AID.Valid():
			b.ISD = fci.AID.Clone()
			return nil
		case err != nil && gp.AID(resp.Data).Valid():
			b.ISD = bytes.Clone(resp.Data) // some cards answer the bare AID
			return nil
		}
	}
	for _, aid := range commonISDs {
		if resp, err = b.Do(ctx, gp.Select{AID: aid, Ne: apdu.MaxShortNe}.Command()); err != nil {
			return err
		}
		if resp.SW.OK() || resp.SW == apdu.SW6283 {
			b.ISD = aid
			return nil
		}
	}
	return fmt.Errorf("no issuer security domain could be selected: %w", resp.SW)
}

// fact notes one number.
func (b *Bench) fact(name string, n int) { b.Facts[name] = fmt.Sprint(n) }

// is notes yes or no.
func (b *Bench) is(name string, yes bool) { b.Facts[name] = capability.Bool(yes) }
