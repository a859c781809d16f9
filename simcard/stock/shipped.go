package stock

import (
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
)

// makers gives each stock anew, so that callers may change what they get.
var makers = []func() Stock{op201SCP01, gp211SCP01, gp211SCP02, sce6SCP03, sce7SCP03}

// gpTestKey is the key that GlobalPlatform cards leave the factory with: 40 41 .. 4F.
func gpTestKey() []byte {
	b := make([]byte, 16)
	for i := range b {
		b[i] = 0x40 + byte(i)
	}
	return b
}

// The AIDs of issuer security domains: Visa's, from Open Platform times, and GlobalPlatform's.
func visaISD() gp.AID { return gp.AID{0xA0, 0, 0, 0, 0x03, 0, 0, 0} }
func gpISD() gp.AID   { return gp.AID{0xA0, 0, 0, 0x01, 0x51, 0, 0, 0} }

// Card life cycle states in which stocks are shipped (GPCS 2.3.1 §5.1.1).
const (
	opReady = 0x01 // life cycle OP_READY
	secured = 0x0F // life cycle SECURED
)

// atr builds an answer to reset for T=1 alone, 254-byte blocks, with historical bytes that no
// program lists: what answers is found by asking, not by the ATR.
func atr(historical string) []byte {
	b := []byte{0x3B, 0x90 | byte(len(historical)), 0x11, 0x81, 0x31, 0xFE, 0x45}
	b = append(b, historical...)
	var tck byte
	for _, v := range b[1:] {
		tck ^= v
	}
	return append(b, tck)
}

// op201SCP01 is the oldest kind still in drawers: Open Platform 2.0.1, no recognition data.
func op201SCP01() Stock {
	return Stock{
		Name:  "op201-scp01",
		Title: "Open Platform 2.0.1, SCP01 i=05, 3DES keys 40..4F at version 01",
		ATR:   atr("TW-OP201"),
		ISD:   visaISD(),
		SCP:   0x01, I: 0x05,
		Keys: Factory{KVN: 0x01, Algorithm: keys.DES3, Master: gpTestKey(), Method: kdf.None},
		CPLC: CPLC{
			Fabricator: 0x4090, ICType: 0x6155, OS: 0x4091, OSDate: 0x3155, OSLevel: 0x0100,
			FabricationDate: 0x3205, ModuleFabricator: 0x4092, ModuleDate: 0x3210,
			ICManufacturer: 0x4093, EmbeddingDate: 0x3215, PrePersonaliser: 0x4094,
			PrePersoDate: 0x3220, PrePersoEquipment: 0x00000001, Personaliser: 0x4095,
			PersonalisationDate: 0x3225,
		},
		LifeCycle: opReady,
		GPVersion: [3]byte{2, 0, 1},
		Memory:    Memory{Persistent: 48 << 10, Transient: 2 << 10},
		Quirks:    Quirks{NoRecognition: true, ShortPrivileges: true, NoModuleStatus: true},
	}
}

// gp211SCP01 is the card of the first generation of token management: version FF until its keys
// are changed.
func gp211SCP01() Stock {
	return Stock{
		Name:  "gp211-scp01",
		Title: "GlobalPlatform 2.1.1, SCP01 i=05, 3DES keys 40..4F at version FF",
		ATR:   atr("TW-SCP01"),
		ISD:   visaISD(),
		SCP:   0x01, I: 0x05,
		Keys: Factory{KVN: 0xFF, Algorithm: keys.DES3, Master: gpTestKey(), Method: kdf.None},
		CPLC: CPLC{
			Fabricator: 0x4090, ICType: 0x7160, OS: 0x1291, OSDate: 0x6349, OSLevel: 0x0211,
			FabricationDate: 0x7012, ModuleFabricator: 0x1292, ModuleDate: 0x7020,
			ICManufacturer: 0x1293, EmbeddingDate: 0x7031, PrePersonaliser: 0x1294,
			PrePersoDate: 0x7031, PrePersoEquipment: 0x00000211, Personaliser: 0x1295,
			PersonalisationDate: 0x7040,
		},
		LifeCycle: opReady,
		GPVersion: [3]byte{2, 1, 1},
		Memory:    Memory{Persistent: 68 << 10, Transient: 2304},
		Quirks:    Quirks{ShortPrivileges: true},
	}
}

// gp211SCP02 differs from gp211SCP01 in protocol and in that it blocks its keys.
func gp211SCP02() Stock {
	return Stock{
		Name:  "gp211-scp02",
		Title: "GlobalPlatform 2.1.1, SCP02 i=15, 3DES keys 40..4F at version FF, 10 tries",
		ATR:   atr("TW-SCP02"),
		ISD:   visaISD(),
		SCP:   0x02, I: 0x15,
		Keys: Factory{KVN: 0xFF, Algorithm: keys.DES3, Master: gpTestKey(), Method: kdf.None},
		CPLC: CPLC{
			Fabricator: 0x4790, ICType: 0x5167, OS: 0x4791, OSDate: 0x2081, OSLevel: 0x3700,
			FabricationDate: 0x0155, ModuleFabricator: 0x4812, ModuleDate: 0x0160,
			ICManufacturer: 0x1671, EmbeddingDate: 0x0161, PrePersonaliser: 0x1672,
			PrePersoDate: 0x0162, PrePersoEquipment: 0x00000212, Personaliser: 0x1673,
			PersonalisationDate: 0x0163,
		},
		LifeCycle: opReady,
		GPVersion: [3]byte{2, 1, 1},
		Memory:    Memory{Persistent: 72 << 10, Transient: 4 << 10},
		Quirks:    Quirks{ShortPrivileges: true, AuthTries: 10},
	}
}

// sce6SCP03 is an AES card whose vendor diversifies a 3DES master by EMV and loads the 16 bytes
// that come out as AES-128 keys, without parity adjustment.
func sce6SCP03() Stock {
	return Stock{
		Name:  "sce6-scp03",
		Title: "GlobalPlatform 2.2, SCP03 i=70, AES-128 keys by EMV from 40..4F at version FF",
		ATR:   atr("TW-SCE60"),
		ISD:   visaISD(),
		SCP:   0x03, I: 0x70,
		Keys: Factory{KVN: 0xFF, Algorithm: keys.AES, Master: gpTestKey(), Method: kdf.EMV},
		CPLC: CPLC{
			Fabricator: 0x4790, ICType: 0x5037, OS: 0x1671, OSDate: 0x4133, OSLevel: 0x0600,
			FabricationDate: 0x5128, ModuleFabricator: 0x1671, ModuleDate: 0x5130,
			ICManufacturer: 0x1671, EmbeddingDate: 0x5133, PrePersonaliser: 0x1671,
			PrePersoDate: 0x5140, PrePersoEquipment: 0x00000060, Personaliser: 0x1671,
			PersonalisationDate: 0x5141,
		},
		DistinctKDD: true,
		LifeCycle:   opReady,
		GPVersion:   [3]byte{2, 2, 0},
		Memory:      Memory{Persistent: 80 << 10, Transient: 6 << 10},
		Quirks:      Quirks{AuthTries: 10},
	}
}

// sce7SCP03 is its successor: plain AES keys, version 01, GlobalPlatform's own AID.
func sce7SCP03() Stock {
	return Stock{
		Name:    "sce7-scp03",
		Title:   "GlobalPlatform 2.2.1, SCP03 i=70, AES-128 keys 40..4F at version 01",
		ATR:     atr("TW-SCE70"),
		ISD:     gpISD(),
		Aliases: []gp.AID{visaISD()},
		SCP:     0x03, I: 0x70,
		Keys: Factory{KVN: 0x01, Algorithm: keys.AES, Master: gpTestKey(), Method: kdf.None},
		CPLC: CPLC{
			Fabricator: 0x4790, ICType: 0x6754, OS: 0x1671, OSDate: 0x7189, OSLevel: 0x0700,
			FabricationDate: 0x8091, ModuleFabricator: 0x1671, ModuleDate: 0x8100,
			ICManufacturer: 0x1671, EmbeddingDate: 0x8101, PrePersonaliser: 0x1671,
			PrePersoDate: 0x8110, PrePersoEquipment: 0x00000070, Personaliser: 0x1671,
			PersonalisationDate: 0x8111,
		},
		DistinctKDD: true,
		LifeCycle:   secured,
		GPVersion:   [3]byte{2, 2, 1},
		Memory:      Memory{Persistent: 144 << 10, Transient: 8 << 10},
		Quirks:      Quirks{AuthTries: 10},
	}
}
