package simcard

import (
	"errors"
	"fmt"
	"slices"

	"tokenwright/simcard/registry"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

// isSelectByName tells the SELECT that the card itself handles (GPCS 2.3.1 §6.4.2). Any other goes
// to the selected application.
func isSelectByName(c apdu.Command) bool {
	return c.INS == gp.INSSelect && c.P1 == 0x04 && (c.CLA&^0x07 == 0 || c.CLA&0xC0 == 0x40)
}

// selectByName answers SELECT. A selection that fails leaves everything as it was; one that
// succeeds ends the secure channel, even of the same application.
func (c *Card) selectByName(cmd apdu.Command) (apdu.Response, error) {
	switch {
	case apdu.Channel(cmd.CLA) != 0:
		return apdu.Response{SW: apdu.SW6881}, nil // The card has the basic channel alone.
	case apdu.Secure(cmd.CLA):
		return apdu.Response{SW: apdu.SW6882}, nil
	case c.domain.Life() == gp.CardTerminated:
		return apdu.Response{SW: apdu.SW6985}, nil
	}
	sel, err := gp.ParseSelect(cmd)
	if err != nil {
		return apdu.Response{SW: apdu.SW6A80}, nil
	}
	const next, noAnswer = 0x03, 0x0C
	switch sel.P2 & next {
	case gp.SelectFirst, gp.SelectNext:
	default:
		return apdu.Response{SW: apdu.SW6A86}, nil // Last and previous are not in GPCS.
	}
	if sel.P2&^(next|noAnswer) != 0 {
		return apdu.Response{SW: apdu.SW6A86}, nil
	}
	app, isd, ok := c.match(sel.AID, sel.P2&next == gp.SelectNext)
	if !ok {
		return apdu.Response{SW: apdu.SW6A82}, nil
	}
	resp, err := c.enter(app, isd)
	if sel.P2&noAnswer == noAnswer {
		resp.Data = nil
	}
	return resp, err
}

// match finds what an AID, full or partial, selects (GPCS 2.3.1 §6.4.2.1): the first match of the
// registry, in which the issuer security domain comes first and an application of exactly this AID
// before those that it starts; next is the match behind what is selected now. A locked card has
// its security domain alone.
func (c *Card) match(aid gp.AID, next bool) (app registry.App, isd, ok bool) {
	var found []registry.App
	if c.domain.Life() != gp.CardLocked && aid != nil {
		for _, a := range c.registry.Match(aid) {
			if a.State.Selectable() {
				found = append(found, a)
			}
		}
	}
	named := c.domain.Named(aid)
	if !next {
		exact := len(found) > 0 && found[0].AID.Equal(aid)
		switch {
		case named && !exact:
			return app, true, true
		case len(found) > 0:
			return found[0], false, true
		}
		return app, false, false
	}
	at := -1 // The security domain stands before the first application.
	if c.selected != nil {
		at = slices.IndexFunc(found, func(a registry.App) bool {
			return a.Serial == c.selected.app.Serial
		})
		if at < 0 {
			return app, false, false
		}
	}
	if at+1 < len(found) {
		return found[at+1], false, true
	}
	return app, false, false
}

// enter makes an application, or the issuer security domain, the selected one.
func (c *Card) enter(app registry.App, isd bool) (apdu.Response, error) {
	if c.selected != nil {
		c.selected.applet.Deselect()
	}
	if err := c.domain.EndSession(); err != nil {
		return apdu.Response{}, err
	}
	c.selected = nil
	if isd {
		sw := apdu.SW9000
		if c.domain.Life() == gp.CardLocked {
			sw = apdu.SW6283
		}
		return apdu.Response{Data: c.domain.FCI(), SW: sw}, nil
	}
	r, err := c.start(app)
	if err != nil {
		return apdu.Response{}, err
	}
	data, err := r.applet.Select()
	var sw apdu.SW
	if errors.As(err, &sw) {
		return apdu.Response{SW: sw}, nil // It refuses; the security domain is selected.
	}
	if err != nil {
		return apdu.Response{}, err
	}
	c.selected = r
	return apdu.Response{Data: data, SW: apdu.SW9000}, nil
}

// start gives the running instance, which lives until the next reset or its deletion.
func (c *Card) start(app registry.App) (*running, error) {
	if r, ok := c.started[app.Serial]; ok {
		return r, nil
	}
	file, ok := c.registry.File(app.File)
	if !ok {
		return nil, fmt.Errorf("application %s without its load file", app.AID)
	}
	a, err := model(file, app.Module).Start(c.domain.Env(app))
	if err != nil {
		return nil, fmt.Errorf("starting application %s: %w", app.AID, err)
	}
	r := &running{app: app, applet: a}
	c.started[app.Serial] = r
	return r, nil
}

// selectDefault selects the application with the privilege for it, if there is one that can be
// selected, as a reset does (GPCS 2.3.1 §6.4.2.1.1).
func (c *Card) selectDefault() error {
	if c.domain.Life() == gp.CardLocked || c.domain.Life() == gp.CardTerminated {
		return nil
	}
	for _, a := range c.registry.Apps() {
		if gp.Privileges(a.Privileges[:]).Has(gp.PrivCardReset) && a.State.Selectable() {
			_, err := c.enter(a, false)
			return err
		}
	}
	return nil
}
