package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/scp"
	"tokenwright/tms/gp/tlv"
)

// Discover finds out what the card can do, without changing anything. It needs an identified card;
// without keys that fit, what needs a channel stays unknown.
func (b *Bench) Discover(ctx context.Context) error {
	for _, find := range []func(context.Context) error{
		b.discoverData, b.discoverProtocol, b.discoverChannels, b.discoverContent, b.discoverApplet,
	} {
		if _, err := b.SelectISD(ctx); err != nil {
			return err
		}
		if err := find(ctx); err != nil {
			return fmt.Errorf("finding out what the card can do: %w", err)
		}
	}
	b.is("replaceable", b.Facts["keys"] == "true" && b.Facts["kvn"] != "255")
	return nil
}

// discoverData asks for the data objects that tell of the card.
func (b *Bench) discoverData(ctx context.Context) error {
	b.fact("version", 201)
	for _, o := range []struct {
		tag  uint16
		fact string
		more func([]byte)
	}{
		{gp.TagRecognitionData, "recognition", b.readRecognition},
		{gp.TagKeyInformation, "keyinfo", b.readKeyInformation},
		{gp.TagCPLC, "cplc", nil},
		{gp.TagKDD, "kdd", nil},
		{gp.TagCapabilities, "capabilities", nil},
		{gp.TagSequenceCounter, "counter", nil},
		{tagResources, "resources", nil},
		{gp.TagConfirmations, "receipts", nil},
	} {
		resp, err := b.Do(ctx, gp.GetData{Tag: o.tag, Ne: apdu.MaxShortNe}.Command())
		if err != nil {
			return err
		}
		b.is(o.fact, resp.SW.OK())
		if resp.SW.OK() && o.more != nil {
			o.more(resp.Data)
		}
	}
	return nil
}

// tagResources is extended card resources information (ETSI TS 102 226 §8.2.1.7.2).
const tagResources = 0xFF21

func (b *Bench) readRecognition(data []byte) {
	d, err := gp.ParseCardRecognitionData(data)
	if err != nil {
		return
	}
	v := 0
	for _, n := range append(d.Version, 0, 0, 0)[:3] {
		v = v*10 + int(n)
	}
	b.fact("version", v)
	if len(d.Protocols) > 0 {
		b.fact("scp", int(d.Protocols[0].SCP))
		b.fact("i", int(d.Protocols[0].I))
	}
}

func (b *Bench) readKeyInformation(data []byte) {
	t, err := gp.ParseKeyInformationTemplate(data)
	if err != nil {
		return
	}
	for _, k := range t.Keys {
		if k.Extended {
			b.is("extended", true)
		}
	}
}

// discoverProtocol sends one INITIALIZE UPDATE and, when the card proves its keys, opens a channel.
func (b *Bench) discoverProtocol(ctx context.Context) error {
	h, err := b.Initialize(ctx, 0)
	if h == nil {
		var sw apdu.SW
		if errors.As(err, &sw) {
			b.is("keys", false)
			return nil
		}
		return err
	}
	b.Variant, b.KDD = h.Variant, h.Answer.KDD
	b.fact("scp", int(h.Variant.SCP))
	b.fact("i", int(h.Variant.I))
	b.fact("kvn", int(h.Answer.Info.KVN))
	b.is("rmac", h.Variant.RMAC())
	b.is("renc", h.Variant.RENC())
	b.is("pseudorandom", h.Variant.PseudoRandom())
	b.is("keys", err == nil && h.Proved())
	if err != nil && !errors.Is(err, ErrKeys) {
		return err
	}
	if set, baseErr := b.BaseSet(); err == nil && baseErr == nil && set.ENC.Equal(h.Keys.ENC) {
		b.Base.KVN = h.Answer.Info.KVN
	}
	return nil
}

// discoverChannels opens logical channels until the card has no more, and closes them.
func (b *Bench) discoverChannels(ctx context.Context) error {
	var open []byte
	for range maxChannels {
		resp, err := b.Do(ctx, apdu.Command{INS: gp.INSManageChannel, Ne: 1})
		if err != nil {
			return err
		}
		if !resp.SW.OK() || len(resp.Data) != 1 || resp.Data[0] == 0 {
			break
		}
		open = append(open, resp.Data[0])
	}
	b.fact("channels", len(open))
	for _, n := range open {
		if _, err := b.Do(ctx, apdu.Command{INS: gp.INSManageChannel, P1: 0x80, P2: n}); err != nil {
			return err
		}
	}
	return nil
}

const maxChannels = 19

// discoverContent reads the registry.
func (b *Bench) discoverContent(ctx context.Context) error {
	if b.Facts["keys"] != "true" {
		return nil
	}
	c, err := b.Open(ctx, 0, scp.CMAC)
	if err != nil {
		return err
	}
	a, err := c.Send(ctx, gp.GetStatus{Scope: gp.ScopeISD, Tagged: true, Ne: apdu.MaxShortNe}.Command())
	if err != nil {
		return err
	}
	b.Tagged = a.Resp.SW.OK()
	b.is("tagged", b.Tagged)
	a, err = c.Send(ctx, gp.GetStatus{Scope: gp.ScopeISD, Ne: apdu.MaxShortNe}.Command())
	if err != nil {
		return err
	}
	b.is("untagged", a.Resp.SW.OK())
	isd, err := c.Registry(ctx, gp.ScopeISD)
	if err != nil {
		return err
	}
	if len(isd) > 0 {
		b.fact("life", int(isd[0].LifeCycle))
	}
	for fact, scope := range map[string]gp.Scope{
		"apps": gp.ScopeApplications, "packages": gp.ScopeLoadFiles,
	} {
		reg, err := c.Registry(ctx, scope)
		if err != nil {
			return err
		}
		b.fact(fact, len(reg))
		for _, e := range reg {
			b.present = append(b.present, e.AID)
		}
	}
	return b.discoverStatus(ctx, c)
}

// discoverStatus tries what GET STATUS may or may not know.
func (b *Bench) discoverStatus(ctx context.Context, c *Channel) error {
	g := gp.GetStatus{Scope: gp.ScopeModules, Tagged: b.Tagged, Ne: apdu.MaxShortNe}
	a, err := c.Send(ctx, g.Command())
	if err != nil {
		return err
	}
	b.is("modules", a.Resp.SW.OK() || a.Resp.SW == apdu.SW6A88 || a.Resp.SW == apdu.SW6310)
	g = gp.GetStatus{
		Scope: gp.ScopeISD, Tagged: true, TagList: []byte{0x9F, 0x70}, HasTagList: true, Ne: apdu.MaxShortNe,
	}
	if a, err = c.Send(ctx, g.Command()); err != nil {
		return err
	}
	nodes, err := tlv.Parse(a.Resp.Data)
	b.is("taglist", err == nil && a.Resp.SW.OK() && len(nodes) == 1 && len(nodes[0].Children) == 1)
	return nil
}

// discoverApplet looks whether the CoolKey applet is there.
func (b *Bench) discoverApplet(ctx context.Context) error {
	resp, err := b.Do(ctx, gp.Select{AID: coolkey.AppletAID}.Command())
	if err != nil {
		return err
	}
	b.is("load", b.LoadFile != nil && !resp.SW.OK() && !b.has(b.LoadFile))
	b.is("coolkey", b.Facts["load"] == "true" && b.holdsCoolKey())
	return nil
}

// has tells whether the package of a load file is on the card already: what is there is not the
// catalogue's to change.
func (b *Bench) has(file []byte) bool {
	f, err := gp.ParseLoadFile(file)
	return err != nil || slices.ContainsFunc(b.present, f.Package.Equal)
}

// holdsCoolKey tells whether the load file is the CoolKey applet's, and notes of which line.
func (b *Bench) holdsCoolKey() bool {
	f, err := gp.ParseLoadFile(b.LoadFile)
	if err != nil || !f.HasApplet(coolkey.AppletAID) {
		return false
	}
	line := 14 // package version 1.0
	if f.Major > 1 {
		line = 15
	}
	b.fact("appletline", line)
	return true
}
