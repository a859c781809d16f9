package bench

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// ErrNotRestored means that the card is not what it was, and what this program can do was not enough.
var ErrNotRestored = errors.New("the card's content is not what it was")

// TestPrefix starts the AIDs of instances that the catalogue makes.
var TestPrefix = gp.AID{0xF0, 'c', 'a', 'r', 'd', 'c', 'e', 'r', 't'}

// Restore brings the card's content back to an earlier snapshot: it puts the card's own keys back,
// removes the catalogue's key versions, applications and load file, and compares. Anything else on
// the card it leaves alone. It can be repeated after a cut at any command. With keep the load file
// stays.
func (b *Bench) Restore(ctx context.Context, before []string, keep bool) error {
	if b.Facts["keys"] != "true" {
		return nil // Nothing was changed without a channel.
	}
	b.Changed()
	if _, err := b.SelectISD(ctx); err != nil {
		return err
	}
	if err := b.restoreKeys(ctx, before); err != nil {
		return fmt.Errorf("putting the card's keys back: %w", err)
	}
	if err := b.restoreContent(ctx, before, keep); err != nil {
		return fmt.Errorf("removing what was loaded: %w", err)
	}
	return b.compare(ctx, before, keep)
}

// SameAs looks anew at the card's content, and gives ErrNotRestored when it is not that of before.
func (b *Bench) SameAs(ctx context.Context, before []string) error {
	b.Changed()
	return b.compare(ctx, before, false)
}

func (b *Bench) compare(ctx context.Context, before []string, keep bool) error {
	after, err := b.Baseline(ctx)
	if err != nil {
		return err
	}
	if keep {
		after = slices.DeleteFunc(slices.Clone(after), func(line string) bool {
			return strings.HasPrefix(line, fmt.Sprintf("%02X: %s ", byte(gp.ScopeLoadFiles), b.filePackage()))
		})
	}
	if !slices.Equal(sorted(before), sorted(after)) {
		return fmt.Errorf("%w: it was %s; it is %s", ErrNotRestored, missing(before, after),
			missing(after, before))
	}
	return nil
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

func missing(of, in []string) string {
	var out []string
	for _, s := range of {
		if !slices.Contains(in, s) {
			out = append(out, s)
		}
	}
	return strings.Join(out, "; ")
}

// restoreKeys makes sure that the card's own key set is what it was, and that the test versions are
// gone.
func (b *Bench) restoreKeys(ctx context.Context, before []string) error {
	base, err := b.BaseSet()
	if err != nil {
		return err
	}
	h, err := b.Initialize(ctx, b.Base.KVN)
	switch {
	case err == nil && h.Keys.ENC.Equal(base.ENC) && h.Keys.MAC.Equal(base.MAC) && h.Keys.DEK.Equal(base.DEK):
	case h == nil && !errors.Is(err, apdu.SW6A88):
		return err
	default:
		if err := b.putBack(ctx, h != nil, base); err != nil {
			return err
		}
	}
	return b.dropTestKeys(ctx, before)
}

// putBack writes the card's own keys in a channel opened with whatever keys it has now.
func (b *Bench) putBack(ctx context.Context, there bool, base keys.KeySet) error {
	c, err := b.Open(ctx, 0, scp.CMAC)
	if err != nil {
		return err
	}
	var old keys.KVN
	if there {
		old = base.KVN
	}
	cmd, err := c.PutKey(old, base)
	if err != nil {
		return err
	}
	a, err := c.Send(ctx, cmd)
	if err == nil && !a.Resp.SW.OK() {
		err = fmt.Errorf("PUT KEY: %w", a.Resp.SW)
	}
	return err
}

// dropTestKeys deletes the catalogue's key versions with the card's own keys, but for those that the
// card had before: they are its issuer's.
func (b *Bench) dropTestKeys(ctx context.Context, before []string) error {
	for _, kvn := range []keys.KVN{TestKVN, OtherKVN} {
		if hadVersion(before, kvn) {
			continue
		}
		if there, err := b.HasVersion(ctx, kvn); err != nil || !there {
			if err != nil {
				return err
			}
			continue
		}
		c, err := b.Open(ctx, b.Base.KVN, scp.CMAC)
		if err != nil {
			return err
		}
		del := gp.DeleteKeys(kvn)
		del.Ne = apdu.MaxShortNe
		a, err := c.Send(ctx, del.Command())
		if err == nil && !a.Resp.SW.OK() && a.Resp.SW != apdu.SW6A88 {
			err = fmt.Errorf("DELETE key version %s: %w", kvn, a.Resp.SW)
		}
		if err != nil {
			return err
		}
		if _, err := b.SelectISD(ctx); err != nil {
			return err
		}
	}
	return nil
}

// hadVersion looks for a key version in the key information template of a snapshot.
func hadVersion(snapshot []string, kvn keys.KVN) bool {
	for _, line := range snapshot {
		text, ok := strings.CutPrefix(line, fmt.Sprintf("%04X: ", gp.TagKeyInformation))
		if !ok {
			continue
		}
		data, _, _ := strings.Cut(text, " ")
		raw, err := hex.DecodeString(data)
		if err != nil {
			return false
		}
		t, err := gp.ParseKeyInformationTemplate(raw)
		return err == nil && len(t.Version(kvn)) > 0
	}
	return false
}

// HasVersion looks whether the card has a key version: in the key information template, or by
// INITIALIZE UPDATE on cards without it.
func (b *Bench) HasVersion(ctx context.Context, kvn keys.KVN) (bool, error) {
	if b.Facts["keyinfo"] == "true" {
		resp, err := b.Do(ctx, gp.GetData{Tag: gp.TagKeyInformation, Ne: apdu.MaxShortNe}.Command())
		if err != nil {
			return false, err
		}
		if resp.SW.OK() {
			t, err := gp.ParseKeyInformationTemplate(resp.Data)
			return len(t.Version(kvn)) > 0, err
		}
	}
	h, err := b.Initialize(ctx, kvn)
	switch {
	case h != nil:
		return true, nil
	case errors.Is(err, apdu.SW6A88):
		return false, nil
	}
	return false, err
}

// restoreContent deletes the catalogue's instances, then its load file, where they were not there
// before.
func (b *Bench) restoreContent(ctx context.Context, before []string, keep bool) error {
	if _, err := b.SelectISD(ctx); err != nil {
		return err
	}
	c, err := b.Open(ctx, b.Base.KVN, scp.CMAC)
	if err != nil {
		return err
	}
	ours, err := b.ours()
	if err != nil {
		return err
	}
	for _, scope := range []gp.Scope{gp.ScopeApplications, gp.ScopeLoadFiles} {
		reg, err := c.Registry(ctx, scope)
		if err != nil {
			return err
		}
		for _, e := range slices.Backward(reg) {
			was := slices.ContainsFunc(before, func(line string) bool {
				return strings.HasPrefix(line, fmt.Sprintf("%02X: %s ", byte(scope), e.AID))
			})
			if was || !ours(e.AID) || keep && scope == gp.ScopeLoadFiles {
				continue
			}
			a, err := c.Send(ctx, gp.Delete{AID: e.AID, Ne: apdu.MaxShortNe}.Command())
			if err == nil && !a.Resp.SW.OK() {
				err = fmt.Errorf("DELETE %s: %w", e.AID, a.Resp.SW)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// filePackage is the AID of the load file, nil without one.
func (b *Bench) filePackage() gp.AID {
	f, err := gp.ParseLoadFile(b.LoadFile)
	if err != nil {
		return nil
	}
	return f.Package
}

// ours tells the AIDs that the catalogue gives, or brings with the load file.
func (b *Bench) ours() (func(gp.AID) bool, error) {
	var own []gp.AID
	if b.LoadFile != nil {
		f, err := gp.ParseLoadFile(b.LoadFile)
		if err != nil {
			return nil, err
		}
		own = append(own, f.Package)
		for _, a := range f.Applets {
			own = append(own, a.AID)
		}
	}
	return func(aid gp.AID) bool {
		return aid.HasPrefix(TestPrefix) || slices.ContainsFunc(own, aid.Equal)
	}, nil
}
