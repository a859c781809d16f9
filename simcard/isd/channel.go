package isd

import (
	"tokenwright/simcard/applet"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

// Channel gives the domain's secure channel to the application aid, which belongs to the domain.
func (d *Domain) Channel(aid gp.AID) applet.Channel { return channel{d, aid} }

type channel struct {
	d   *Domain
	aid gp.AID
}

func (c channel) InitializeUpdate(cmd apdu.Command) (apdu.Response, error) {
	return c.d.initializeUpdate(c.aid, cmd)
}

func (c channel) ExternalAuthenticate(cmd apdu.Command) (apdu.Response, error) {
	return c.d.externalAuthenticate(cmd)
}

func (c channel) Unwrap(cmd apdu.Command) (apdu.Command, error) { return c.d.session.unwrap(cmd) }

func (c channel) Wrap(resp apdu.Response) (apdu.Response, error) { return c.d.session.wrap(resp) }

func (c channel) Authenticated() bool { return c.d.session.phase == sessionOpen }

func (c channel) Level() byte { return byte(c.d.session.level()) }

func (c channel) Decrypt(data []byte) ([]byte, error) { return c.d.decrypt(data) }
