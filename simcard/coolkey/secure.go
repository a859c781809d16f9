package coolkey

import (
	"errors"

	"tokenwright/simcard/applet"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

const (
	insInitializeUpdate     = gp.INSInitializeUpdate
	insExternalAuthenticate = gp.INSExternalAuthenticate

	levelMAC = 0x01
	levelENC = 0x03
)

// secured are the commands of class 84 alone, run as the registration authority.
var secured = map[byte]handler{
	lang.INSSetPIN:        (*instance).setPIN,
	lang.INSClearKeySlots: (*instance).clearKeySlots,
	lang.INSSetLifeCycle:  (*instance).setLifeCycle,
	lang.INSSetIssuerInfo: (*instance).setIssuerInfo,
	lang.INSSetBuiltinACL: (*instance).setBuiltinACL,
}

// secure answers class 84: the platform unwraps the command, which makes the sender the
// registration authority, before the instruction is looked at.
func (a *instance) secure(cmd apdu.Command) (apdu.Response, error) {
	ch := a.env.Channel
	if cmd.INS == insExternalAuthenticate {
		return a.externalAuthenticate(cmd)
	}
	if a.version.is15() && ch.Level()&levelMAC == 0 {
		return apdu.Response{SW: apdu.SW6982}, nil
	}
	plain, err := ch.Unwrap(cmd)
	if err != nil {
		return applet.Answer(nil, err)
	}
	a.who = lang.ACLRA
	resp, err := a.finish(applet.Answer(a.runSecured(plain)))
	if err != nil {
		return apdu.Response{}, err
	}
	return ch.Wrap(resp)
}

func (a *instance) runSecured(cmd apdu.Command) ([]byte, error) {
	h, ok := shared[cmd.INS]
	if !ok {
		h, ok = secured[cmd.INS]
	}
	if !ok || cmd.INS == lang.INSClearKeySlots && !a.version.hasClear() {
		return nil, apdu.SW6D00
	}
	return h(a, cmd, len(cmd.Data), cmd.Data)
}

// externalAuthenticate lets the platform judge the command, then the level: 1.4 takes 01 and 03
// alone, which does not close the platform's channel; 1.5 takes what the platform takes.
func (a *instance) externalAuthenticate(cmd apdu.Command) (apdu.Response, error) {
	resp, err := a.env.Channel.ExternalAuthenticate(cmd)
	if err != nil || resp.SW != apdu.SW9000 {
		return resp, err
	}
	if !a.version.is15() && cmd.P1 != levelMAC && cmd.P1 != levelENC {
		return apdu.Response{SW: apdu.SW6985}, nil
	}
	return resp, nil
}

func (a *instance) setLifeCycle(cmd apdu.Command, lc int, _ []byte) ([]byte, error) {
	if lc != 0 {
		return nil, apdu.SW6700
	}
	err := a.env.Life.SetState(gp.AppState(cmd.P1))
	if errors.Is(err, applet.ErrState) {
		return nil, apdu.SW9C0F
	}
	return nil, err
}

func (a *instance) setIssuerInfo(_ apdu.Command, lc int, data []byte) ([]byte, error) {
	if lc != lang.IssuerInfoLen {
		return nil, apdu.SW6700
	}
	copy(a.st.Issuer[:], data)
	return nil, nil
}

// setBuiltinACL changes who may create objects, keys and PINs, if the installation allowed it.
func (a *instance) setBuiltinACL(_ apdu.Command, _ int, data []byte) ([]byte, error) {
	acl, err := lang.ParseBuiltinACL(data)
	if err != nil {
		return nil, apdu.SW6700
	}
	if a.st.ACL.Enable == 0 {
		return nil, apdu.SW9C03
	}
	a.st.ACL = acl
	a.st.Flags &^= flagWritable
	if acl.CreateObject&0xFF != 0 && acl.CreateKey&0xFF != 0 {
		a.st.Flags |= flagWritable
	}
	return nil, nil
}

// clearKeySlots removes all keys but those in the listed slots. There are none here; the list is
// judged as the applet does.
func (a *instance) clearKeySlots(cmd apdu.Command, lc int, data []byte) ([]byte, error) {
	const from, to = 850, 874 // scratch that the applet zeroes first
	clear(a.io[from:to])
	switch {
	case cmd.P1 != 0:
		return nil, apdu.SW9C10
	case cmd.P2 != 0:
		return nil, apdu.SW9C11
	case lc == 0 || lc%2 != 0:
		return nil, apdu.SW9C0F
	}
	for _, slot := range data {
		switch {
		case slot >= 0x80 || slot == lang.MaxKeys:
			return nil, apdu.SW6F00
		case slot > lang.MaxKeys:
			return nil, apdu.SW9C0F
		}
	}
	return nil, nil
}
