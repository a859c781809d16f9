package isd

import (
	"tokenwright/simcard/applet"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

// ChannelFor gives the domain's secure channel to the application aid, which belongs to the domain.
func (d *Domain) ChannelFor(aid gp.AID) applet.Channel { return lent{d, aid} }

// lent is the domain's channel in an application's hands.
type lent struct {
	d   *Domain
	aid gp.AID
}

func (l lent) InitializeUpdate(cmd apdu.Command) (apdu.Response, error) {
	return l.d.initializeUpdate(l.aid, cmd)
}

func (l lent) ExternalAuthenticate(cmd apdu.Command) (apdu.Response, error) {
	return l.d.channel.ExternalAuthenticate(cmd)
}

func (l lent) Unwrap(cmd apdu.Command) (apdu.Command, error) { return l.d.channel.Unwrap(cmd) }

func (l lent) Wrap(resp apdu.Response) (apdu.Response, error) { return l.d.channel.Wrap(resp) }

func (l lent) RMAC(cmd apdu.Command) (apdu.Response, bool) { return l.d.channel.RMAC(cmd) }

func (l lent) Authenticated() bool { return l.d.channel.Authenticated() }

func (l lent) Level() byte { return byte(l.d.channel.Level()) }

func (l lent) Decrypt(data []byte) ([]byte, error) { return l.d.channel.Decrypt(data) }
