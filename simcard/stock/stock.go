package stock

import (
	"fmt"
	"slices"
	"strings"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// Stock is a kind of card as its vendor ships it.
type Stock struct {
	Name  string // as the commands know it
	Title string // one line for people

	ATR []byte // answer to reset, cold and warm
	ISD gp.AID // issuer security domain
	// Aliases select the issuer security domain too, beside ISD and what it starts with. The FCI
	// names ISD all the same.
	Aliases []gp.AID

	SCP, I byte // secure channel protocol and its i parameter
	Keys   Factory
	CPLC   CPLC // serial number and batch are each card's own
	// DistinctKDD gives the card key diversification data that differ from its CUID.
	DistinctKDD bool

	LifeCycle byte // of the card: 01 OP_READY, 07 INITIALIZED, 0F SECURED (GPCS 2.3.1 §5.1)
	GPVersion [3]byte
	Memory    Memory
	Quirks    Quirks
}

// Factory is the key set a card leaves the factory with: a master key, diversified for the card.
type Factory struct {
	KVN       keys.KVN
	Algorithm keys.Algorithm // of the keys on the card
	Master    []byte         // a published test key, 16, 24 or 32 bytes
	Method    kdf.Method     // how the card's keys come from Master and its KDD
}

// Memory is what a card has for its content, in bytes.
type Memory struct {
	Persistent int // for load files, instances and their data
	Transient  int // reported only (GET DATA FF21)
}

// Quirks are the ways in which cards differ beyond what they declare. The zero value is a card that
// follows the specification where it decides, and is strict where it leaves a choice.
type Quirks struct {
	// AuthTries is the number of failed EXTERNAL AUTHENTICATE in a row after which the keys are
	// blocked for good; 0 never blocks.
	AuthTries int
	// NoRecognition leaves out GET DATA 0066, 00E0 and 00CF, as Open Platform 2.0.1 cards do: hosts
	// then assume SCP01.
	NoRecognition bool
	// ShortPrivileges answers privileges in one byte, as cards before GlobalPlatform 2.2 do.
	ShortPrivileges bool
	// NoModuleStatus refuses GET STATUS 10 with 6A86; hosts fall back to 20.
	NoModuleStatus bool
	// StrictKeyIndex refuses INITIALIZE UPDATE with P2 other than 00 under SCP02 and SCP03, as the
	// specification asks. Most cards ignore P2 there.
	StrictKeyIndex bool
	// Protocol is how the card's SCP03 departs from the specification.
	Protocol scp.Misbehaviour
	// InstallFails takes any load file and then refuses every INSTALL [for install] with 6F00, as
	// samples with worn memory do.
	InstallFails bool
	// PlainGetData answers a GET DATA without secure messaging inside a session.
	PlainGetData bool
}

// All lists the stocks, sorted by name.
func All() []Stock {
	out := make([]Stock, len(makers))
	for i, m := range makers {
		out[i] = m()
	}
	slices.SortFunc(out, func(a, b Stock) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Names lists the names of all stocks, sorted.
func Names() []string {
	var out []string
	for _, s := range All() {
		out = append(out, s.Name)
	}
	return out
}

// ByName gives a stock. Each call gives a copy of its own, which the caller may change.
func ByName(name string) (Stock, error) {
	for _, s := range All() {
		if s.Name == name {
			return s, nil
		}
	}
	return Stock{}, fmt.Errorf("unknown stock %q (there are %s)", name, strings.Join(Names(), ", "))
}
