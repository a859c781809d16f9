package bench

import (
	"context"
	"fmt"
	"slices"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/scp"
)

// stable are the data objects that only a change of content changes.
var stable = []uint16{
	gp.TagCPLC, gp.TagRecognitionData, gp.TagKeyInformation, gp.TagKDD, gp.TagIIN, gp.TagCIN,
}

// Snapshot reads the state of the card's content: public data objects, and the registry where there
// are keys for it. It selects the issuer security domain, and leaves no channel open.
func (b *Bench) Snapshot(ctx context.Context) ([]string, error) {
	if _, err := b.SelectISD(ctx); err != nil {
		return nil, err
	}
	var out []string
	for _, tag := range stable {
		resp, err := b.Do(ctx, gp.GetData{Tag: tag, Ne: apdu.MaxShortNe}.Command())
		if err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("%04X: %X %04X", tag, resp.Data, uint16(resp.SW)))
	}
	if b.Facts["keys"] != "true" {
		return out, nil
	}
	c, err := b.Open(ctx, 0, scp.CMAC)
	if err != nil {
		return nil, fmt.Errorf("looking at the card's content: %w", err)
	}
	for _, scope := range []gp.Scope{gp.ScopeISD, gp.ScopeApplications, gp.ScopeLoadFiles} {
		reg, err := c.Registry(ctx, scope)
		if err != nil {
			return nil, err
		}
		for _, e := range reg {
			out = append(out, fmt.Sprintf("%02X: %s %02X %X", byte(scope), e.AID, e.LifeCycle,
				[]byte(e.Privileges)))
		}
	}
	_, err = b.SelectISD(ctx)
	return out, err
}

// maxPages bounds how often GET STATUS is continued.
const maxPages = 256

// Registry reads all entries of a scope; it is empty when the card says that there are none.
func (c *Channel) Registry(ctx context.Context, scope gp.Scope) (gp.Registry, error) {
	var out gp.Registry
	g := gp.GetStatus{Scope: scope, Tagged: c.bench.Tagged, Ne: apdu.MaxShortNe}
	for range maxPages {
		a, err := c.Send(ctx, g.Command())
		if err != nil {
			return nil, err
		}
		switch {
		case a.Protection != nil:
			return nil, fmt.Errorf("GET STATUS: %w", a.Protection)
		case a.Resp.SW == apdu.SW6A88:
			return out, nil
		case !a.Resp.SW.OK() && a.Resp.SW != apdu.SW6310:
			return nil, fmt.Errorf("GET STATUS %02X: %w", byte(scope), a.Resp.SW)
		}
		page, err := c.bench.parseRegistry(a.Resp.Data, scope)
		if err != nil {
			return nil, err
		}
		out = slices.Concat(out, page)
		if a.Resp.SW.OK() {
			return out, nil
		}
		g.Next = true
	}
	return nil, fmt.Errorf("GET STATUS %02X goes on for more than %d pages", byte(scope), maxPages)
}

func (b *Bench) parseRegistry(data []byte, scope gp.Scope) (gp.Registry, error) {
	if b.Tagged {
		return gp.ParseRegistry(slices.Clone(data))
	}
	return gp.ParseRegistryOld(slices.Clone(data), scope == gp.ScopeModules)
}

// Baseline is the last snapshot, taken anew when it no longer holds.
func (b *Bench) Baseline(ctx context.Context) ([]string, error) {
	if b.snapshot != nil {
		return b.snapshot, nil
	}
	s, err := b.Snapshot(ctx)
	if err == nil {
		b.snapshot = s
		if b.initial == nil {
			b.initial = s
		}
	}
	return s, err
}

// Initial is the first snapshot: what the card has to be again in the end.
func (b *Bench) Initial() []string { return b.initial }

// Changed says that the last snapshot no longer holds.
func (b *Bench) Changed() { b.snapshot = nil }
