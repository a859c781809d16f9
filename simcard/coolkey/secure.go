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
	resp, err := a.runSecured(plain)
	if err != nil {
		return apdu.Response{}, err
	}
	return ch.Wrap(resp)
}

func (a *instance) runSecured(cmd apdu.Command) (apdu.Response, error) {
	c := secured[cmd.INS]
	if c.run == nil {
		c = shared[cmd.INS]
	}
	switch {
	case !a.knows(cmd.INS):
	case cmd.INS == gp.INSBeginRMAC, cmd.INS == gp.INSEndRMAC:
		if resp, own := a.env.Channel.RMAC(cmd); own {
			return resp, nil
		}
	case c.run != nil:
		return a.run(c, cmd, len(cmd.Data), cmd.Data)
	}
	return apdu.Response{SW: apdu.SW6D00}, nil
}

// initializeUpdate hands the command on. The 1.5 line turns a platform that knows neither class nor
// instruction into an internal error.
func (a *instance) initializeUpdate(cmd apdu.Command) (apdu.Response, error) {
	resp, err := a.env.Channel.InitializeUpdate(cmd)
	return a.fromPlatform(resp), err
}

func (a *instance) fromPlatform(resp apdu.Response) apdu.Response {
	if a.version.is15() && (resp.SW == apdu.SW6E00 || resp.SW == apdu.SW6D00) {
		resp.SW = apdu.SW6F00
	}
	return resp
}

// externalAuthenticate lets the platform judge the command, then the level: 1.4 takes 01 and 03
// alone, which does not close the platform's channel; 1.5 takes what the platform takes. The
// platform of 1.4 leaves the level to the applet; ours refuses those that its protocol lacks itself,
// with a word for P1 that no 1.4 applet gives.
func (a *instance) externalAuthenticate(cmd apdu.Command) (apdu.Response, error) {
	resp, err := a.env.Channel.ExternalAuthenticate(cmd)
	if err != nil {
		return resp, err
	}
	good := a.version.is15() || cmd.P1 == levelMAC || cmd.P1 == levelENC
	if !good && (resp.SW == apdu.SW9000 || resp.SW == apdu.SW6A86) {
		return apdu.Response{SW: apdu.SW6985}, nil
	}
	return a.fromPlatform(resp), nil
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
