package coolkey

import (
	"crypto/subtle"
	"io"

	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

// loggedIn has the bit of every PIN that is logged in.
func (a *instance) loggedIn() lang.ACL {
	var m lang.ACL
	for n, count := range a.logins {
		if count > 0 {
			m |= lang.ACLPIN0 << n
		}
	}
	return m
}

func (a *instance) pinCount() int {
	n := 0
	for _, p := range a.st.PINs {
		n += int(p.Exists)
	}
	return n
}

// pin gives the PIN that P1 names, nil when it does not exist.
func (a *instance) pin(n byte) *pin {
	if n >= lang.MaxPINs || a.st.PINs[n].Exists == 0 {
		return nil
	}
	return &a.st.PINs[n]
}

func goodLen(n int) bool { return n >= lang.MinPIN && n <= lang.MaxPIN }

func (p *pin) set(value []byte) {
	p.Len = uint8(len(value))
	p.Value = [lang.MaxPIN]byte{}
	copy(p.Value[:], value)
	p.Left = p.Limit
}

// logOff ends all sessions of a PIN, and the nonce when it was the last one.
func (a *instance) logOff(n byte) {
	a.logins[n] = 0
	if a.loggedIn() == 0 {
		a.nonce = lang.Nonce{}
	}
}

func (a *instance) createPIN(cmd apdu.Command, lc int, data []byte) ([]byte, error) {
	switch {
	case !a.st.ACL.CreatePIN.Grants(a.who):
		return nil, apdu.SW9C06
	case cmd.P1 >= lang.MaxPINs || a.pin(cmd.P1) != nil:
		return nil, apdu.SW9C10
	case !goodLen(lc):
		return nil, apdu.SW9C0F
	case cmd.P2 == 0 || cmd.P2 >= 0x80:
		return nil, apdu.SW6F00 // The platform's PIN class throws.
	}
	p := &a.st.PINs[cmd.P1]
	*p = pin{Exists: 1, Limit: cmd.P2}
	p.set(data)
	a.st.Flags |= flagPIN
	return nil, nil
}

// verifyPIN logs a PIN in. A PIN of impossible length takes no try, but logs out as a wrong one.
func (a *instance) verifyPIN(cmd apdu.Command, p3 int, data []byte) ([]byte, error) {
	p := a.pin(cmd.P1)
	switch {
	case p == nil:
		return nil, apdu.SW9C10
	case cmd.P2 != 0:
		return nil, apdu.SW9C11
	case received(data, p3) != nil:
		return nil, apdu.SW6700
	case p.Left == 0:
		return nil, apdu.SW9C0C
	}
	ok := false
	if goodLen(p3) {
		var err error
		if ok, err = a.check(p, data); err != nil {
			return nil, err
		}
	}
	if !ok {
		return nil, a.wrongPIN(cmd.P1)
	}
	a.logins[cmd.P1]++
	if a.nonce.IsZero() {
		if err := a.newNonce(); err != nil {
			return nil, err
		}
	}
	return append([]byte(nil), a.nonce[:]...), nil
}

// check takes a try, for good, compares, and gives the tries back when the PIN is right.
func (a *instance) check(p *pin, value []byte) (bool, error) {
	p.Left--
	if err := a.flush(); err != nil {
		return false, err
	}
	var padded [lang.MaxPIN]byte
	copy(padded[:], value)
	same := subtle.ConstantTimeCompare(padded[:], p.Value[:]) &
		subtle.ConstantTimeByteEq(byte(len(value)), p.Len)
	if same == 1 {
		p.Left = p.Limit
	}
	return same == 1, nil
}

// wrongPIN logs the PIN out and leaves four random bytes in the I/O buffer, as the applet does.
func (a *instance) wrongPIN(n byte) error {
	a.logOff(n)
	at := a.version.scratch().second
	if _, err := io.ReadFull(a.env.Random, a.io[at:at+4]); err != nil {
		return err
	}
	return apdu.SW9C02
}

// newNonce makes a nonce that is not zero, which stands for nobody.
func (a *instance) newNonce() error {
	if len(a.env.Nonce) == lang.NonceLen {
		a.nonce = lang.Nonce(a.env.Nonce)
	}
	for a.nonce.IsZero() {
		if _, err := io.ReadFull(a.env.Random, a.nonce[:]); err != nil {
			return err
		}
	}
	return nil
}

// changePIN reads length and value of the old and the new PIN; what follows is ignored.
func (a *instance) changePIN(cmd apdu.Command, p3 int, data []byte) ([]byte, error) {
	p := a.pin(cmd.P1)
	switch {
	case p == nil:
		return nil, apdu.SW9C10
	case cmd.P2 != 0:
		return nil, apdu.SW9C11
	case received(data, p3) != nil:
		return nil, apdu.SW6700
	case p3 < 4:
		return nil, apdu.SW9C0F
	}
	n := int(data[0])
	if p3 < 2+n || !goodLen(n) {
		return nil, apdu.SW9C0F
	}
	old, rest := data[1:1+n], data[1+n:]
	m := int(rest[0])
	if len(rest) < 1+m || !goodLen(m) {
		return nil, apdu.SW9C0F
	}
	if p.Left == 0 {
		return nil, apdu.SW9C0C
	}
	ok, err := a.check(p, old)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, a.wrongPIN(cmd.P1)
	}
	p.set(rest[1 : 1+m])
	a.logOff(cmd.P1)
	return nil, nil
}

// setPIN is the registration authority's: it works on a blocked PIN and unblocks it.
func (a *instance) setPIN(cmd apdu.Command, lc int, data []byte) ([]byte, error) {
	switch {
	case cmd.P1 >= lang.MaxPINs:
		return nil, apdu.SW9C10
	case cmd.P2 != 0:
		return nil, apdu.SW9C11
	case lc >= 0x80:
		return nil, apdu.SW6700
	case a.pin(cmd.P1) == nil:
		return nil, apdu.SW9C10
	case !goodLen(lc):
		return nil, apdu.SW9C0F
	}
	a.pin(cmd.P1).set(data)
	a.logOff(cmd.P1)
	return nil, nil
}

// logout asks for no nonce: anyone may log anyone out.
func (a *instance) logout(cmd apdu.Command, _ int, _ []byte) ([]byte, error) {
	if a.pin(cmd.P1) == nil {
		return nil, apdu.SW6F00 // An index past an array, or a null reference.
	}
	if a.logins[cmd.P1] > 1 {
		a.logins[cmd.P1]--
		return nil, nil
	}
	a.logOff(cmd.P1)
	return nil, nil
}

func (a *instance) listPINs(cmd apdu.Command, p3 int, _ []byte) ([]byte, error) {
	switch {
	case cmd.P1 != 0:
		return nil, apdu.SW9C10
	case cmd.P2 != 0:
		return nil, apdu.SW9C11
	case p3 != 2:
		return nil, apdu.SW6700
	}
	var mask byte
	for n, p := range a.st.PINs {
		mask |= p.Exists << n
	}
	return []byte{0, mask}, nil
}

func (a *instance) pinTries(cmd apdu.Command, p3 int, _ []byte) ([]byte, error) {
	p := a.pin(cmd.P1)
	switch {
	case p == nil:
		return nil, apdu.SW9C10
	case cmd.P2 != 0:
		return nil, apdu.SW9C11
	case p3 != 1:
		return nil, apdu.SW6700
	}
	return []byte{p.Left}, nil
}
