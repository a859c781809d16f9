package coolkey

import (
	"tokenwright/simcard/coolkey/slots"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

// listKeys lists ready key slots in ascending order: 9000 without data is the end.
func (a *instance) listKeys(cmd apdu.Command, p3 int, _ []byte) ([]byte, error) {
	switch {
	case cmd.P2 != 0:
		return nil, apdu.SW9C11
	case p3 != lang.KeyRecordLen:
		return nil, apdu.SW6700
	case cmd.P1 > 1:
		return nil, apdu.SW9C10
	case cmd.P1 == 0:
		a.keys.Rewind()
	}
	n, s, ok := a.keys.Step()
	if !ok {
		return nil, nil
	}
	return lang.KeyRecord{Slot: n, Type: s.Type, Mate: s.Mate, Bits: s.Bits, ACL: s.ACL}.Bytes(), nil
}

// clearKeySlots removes all keys but those in the listed pairs of slots. A key that the sender may not
// write ends it, with those before already gone.
func (a *instance) clearKeySlots(cmd apdu.Command, lc int, data []byte) ([]byte, error) {
	const from, to = 850, 874 // the list of slots to keep, which the applet zeroes first
	clear(a.io[from:to])
	switch {
	case cmd.P1 != 0:
		return nil, apdu.SW9C10
	case cmd.P2 != 0:
		return nil, apdu.SW9C11
	case lc == 0 || lc%2 != 0:
		return nil, apdu.SW9C0F
	}
	var keep [slots.Count]bool
	for pair := data; len(pair) > 0; pair = pair[2:] {
		if err := a.checkKept(pair[0], pair[1]); err != nil {
			return nil, err
		}
		keep[pair[0]], keep[pair[1]] = true, true
	}
	for n := range byte(slots.Count) {
		if keep[n] || !a.keys.IsReady(n) {
			continue
		}
		if !a.keys.Slots[n].ACL.Write.Grants(a.who) {
			return nil, apdu.SW9C06
		}
		a.keys.Clear(n)
	}
	return nil, nil
}

// checkKept judges a pair of slots to keep. The applet takes slot numbers for signed bytes and lets 24
// pass, where its arrays end.
func (a *instance) checkKept(private, public byte) error {
	for _, n := range []byte{private, public} {
		switch {
		case int8(n) > slots.Count:
			return apdu.SW9C0F
		case n >= slots.Count:
			return apdu.SW6F00
		}
	}
	return a.keys.Mates(private, public)
}

// mayReplace gives 9C06 for a key that is there and that the sender may not write.
func (a *instance) mayReplace(n byte) error {
	if a.keys.IsReady(n) && !a.keys.Slots[n].ACL.Write.Grants(a.who) {
		return apdu.SW9C06
	}
	return nil
}

// build makes the key object of a slot for the sender.
func (a *instance) build(n byte, kind lang.KeyType, bits uint16, legal bool) error {
	return a.keys.Build(n, kind, bits, a.st.ACL.CreateKey.Grants(a.who), legal)
}

// address are the slots of a new key pair and who may use the private key.
type address struct {
	private, public byte
	use             lang.ACL
}

// pairAddress reads P1 and P2 of the commands that bring a key pair. Owners 0 to 8 stand for the PIN
// of that number, though there are eight, and F for everybody. Both bytes zero are an older form:
// slots 0 and 1, for everybody.
func pairAddress(cmd apdu.Command) (address, error) {
	if cmd.P1 == 0 && cmd.P2 == 0 {
		return address{private: 0, public: 1, use: lang.ACLAnyone}, nil
	}
	p := address{private: cmd.P1 & 0x0F, public: cmd.P2 & 0x0F}
	switch owner := cmd.P1 >> 4; {
	case owner <= lang.MaxPINs:
		p.use = lang.ACLPIN0 << owner
	case owner == byte(lang.OwnerAnyone):
		p.use = lang.ACLAnyone
	default:
		return address{}, apdu.SW9C10
	}
	return p, nil
}

// settle sets the access conditions of the halves of a new key pair.
func (a *instance) settle(p address) {
	a.setPrivateACL(p)
	a.keys.Slots[p.public].ACL = lang.KeyACL{
		Read: lang.ACLAnyone, Write: lang.ACLRA, Use: lang.ACLAnyone,
	}
}

func (a *instance) setPrivateACL(p address) {
	a.keys.Slots[p.private].ACL = lang.KeyACL{Write: lang.ACLRA, Use: p.use}
}

func (a *instance) setMates(private, public byte) {
	a.keys.Slots[private].Mate, a.keys.Slots[public].Mate = public, private
}
