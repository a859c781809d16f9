package cardkeys

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/features/script"
	"tokenwright/features/steps/bench"
	"tokenwright/features/verdict"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

func addPutSteps(book *script.Book) {
	book.Step(`^the host puts test keys$`, func(ctx context.Context) error { return put(ctx, 0, bench.TestKVN) })
	book.Step(`^the host replaces the test keys by others$`, func(ctx context.Context) error {
		return put(ctx, bench.TestKVN, bench.OtherKVN)
	})
	book.Step(`^the host puts test keys in place of version "([^"]*)"$`, putInPlace)
	book.Step(`^the host puts test keys as version "([^"]*)"$`, putAs)
	book.Step(`^the host puts AES test keys of (\d+) bytes$`, func(ctx context.Context, n int) error {
		return putSize(ctx, bench.TestKVN, n)
	})
	book.Step(`^the host puts other AES test keys of (\d+) bytes$`, func(ctx context.Context, n int) error {
		return putSize(ctx, bench.OtherKVN, n)
	})
	book.Step(`^the host puts test keys of (\d+), (\d+) and (\d+) bytes$`, putUneven)
	book.Step(`^the host puts test keys with a wrong check value of key (\d)$`, putWrongKCV)
	book.Step(`^the host puts test keys without check values$`, putNoKCV)
	book.Step(`^the host puts test keys encrypted by the card's own data encryption key$`, putStaticDEK)
	book.Step(`^the host replaces the test keys by keys of another length$`, replaceLength)
	book.Step(`^the host puts test key (\d) alone$`, func(ctx context.Context, id int) error {
		return putOne(ctx, bench.TestKVN, bench.OtherKVN, id)
	})
	book.Step(`^the host adds test key (\d) alone$`, func(ctx context.Context, id int) error {
		return putOne(ctx, 0, bench.TestKVN, id)
	})
	book.Step(`^the host puts the first part of a chain of test keys$`, func(ctx context.Context) error {
		return spoiled(ctx, func(p *gp.PutKey) { p.More = true })
	})
	book.Step(`^the host puts test keys from identifier (\d) on$`, func(ctx context.Context, id int) error {
		return spoiled(ctx, func(p *gp.PutKey) { p.FirstKeyID = keys.KeyID(id) })
	})
	book.Step(`^the host puts its own keys back in place of version "([^"]*)"$`, putBack)
	book.Step(`^the answer lists the version and check values of the test keys$`, answerLists)
	book.Step(`^the test keys open a channel$`, testKeysOpen)
	book.Step(`^the test keys open a channel, if they were taken$`, testKeysOpenIfTaken)
	book.Step(`^the card's own keys open a channel$`, ownKeysOpen)
	book.Step(`^key version "([^"]*)" is (there|gone)$`, versionIs)
}

var errNoChannel = errors.New("no channel was opened")

// send sends a PUT KEY for a set in the open channel.
func send(ctx context.Context, old keys.KVN, set keys.KeySet, spoil func(*gp.PutKey)) error {
	w := bench.From(ctx)
	if w.Channel == nil {
		return errNoChannel
	}
	cmd, err := w.Channel.PutKey(old, set)
	if err != nil {
		return err
	}
	if spoil != nil {
		p, err := gp.ParsePutKey(cmd)
		if err != nil {
			return err
		}
		spoil(&p)
		cmd = p.Command()
	}
	w.Note("kvn put", []byte{byte(set.KVN)})
	kcvs := []byte{byte(set.KVN)}
	for _, k := range []keys.Key{set.ENC, set.MAC, set.DEK} {
		kcv := k.KCV()
		kcvs = append(kcvs, kcv[:]...)
	}
	w.Note("put", kcvs)
	return w.Secure(ctx, cmd)
}

func put(ctx context.Context, old, kvn keys.KVN) error {
	set, err := bench.From(ctx).TestSet(kvn)
	if err != nil {
		return err
	}
	return send(ctx, old, set, nil)
}

func version(ctx context.Context, text string) (keys.KVN, error) {
	b, err := bench.From(ctx).Expand(text)
	if err != nil || len(b) != 1 {
		return 0, fmt.Errorf("key version %q: %w", text, err)
	}
	return keys.KVN(b[0]), nil
}

func putInPlace(ctx context.Context, text string) error {
	old, err := version(ctx, text)
	if err != nil {
		return err
	}
	return put(ctx, old, bench.TestKVN)
}

// putAs adds the test keys under a version that may not exist.
func putAs(ctx context.Context, text string) error {
	kvn, err := version(ctx, text)
	if err != nil {
		return err
	}
	set, err := bench.From(ctx).TestSet(bench.TestKVN)
	if err != nil {
		return err
	}
	set.KVN = kvn
	return send(ctx, 0, set, nil)
}

func putSize(ctx context.Context, kvn keys.KVN, n int) error {
	set, err := bench.TestSet(kvn, keys.AES, n)
	if err != nil {
		return err
	}
	return send(ctx, 0, set, nil)
}

func putUneven(ctx context.Context, enc, mac, dek int) error {
	set := keys.KeySet{KVN: bench.TestKVN}
	for _, k := range []struct {
		to   *keys.Key
		from func(keys.KeySet) keys.Key
		n    int
	}{
		{&set.ENC, func(s keys.KeySet) keys.Key { return s.ENC }, enc},
		{&set.MAC, func(s keys.KeySet) keys.Key { return s.MAC }, mac},
		{&set.DEK, func(s keys.KeySet) keys.Key { return s.DEK }, dek},
	} {
		s, err := bench.TestSet(bench.TestKVN, keys.AES, k.n)
		if err != nil {
			return err
		}
		*k.to = k.from(s)
	}
	return send(ctx, 0, set, nil)
}

func spoiled(ctx context.Context, spoil func(*gp.PutKey)) error {
	set, err := bench.From(ctx).TestSet(bench.TestKVN)
	if err != nil {
		return err
	}
	return send(ctx, 0, set, spoil)
}

func putWrongKCV(ctx context.Context, n int) error {
	if n < 1 || n > 3 {
		return fmt.Errorf("there is no key %d", n)
	}
	return spoiled(ctx, func(p *gp.PutKey) {
		p.Keys[n-1].KCV = []byte{p.Keys[n-1].KCV[0] ^ 1, p.Keys[n-1].KCV[1], p.Keys[n-1].KCV[2]}
	})
}

func putNoKCV(ctx context.Context) error {
	return spoiled(ctx, func(p *gp.PutKey) {
		for i := range p.Keys {
			p.Keys[i].KCV = nil
		}
	})
}

// putStaticDEK encrypts by the static key where the session's own belongs (GPCS 2.3.1 §E.4.7).
func putStaticDEK(ctx context.Context) error {
	w := bench.From(ctx)
	if w.Channel == nil {
		return errNoChannel
	}
	set, err := w.TestSet(bench.TestKVN)
	if err != nil {
		return err
	}
	dek := w.Channel.Handshake.Keys.DEK
	var wrap error
	err = send(ctx, 0, set, func(p *gp.PutKey) {
		for i, k := range []keys.Key{set.ENC, set.MAC, set.DEK} {
			v, err := dek.EncryptECB(k.Bytes())
			wrap = errors.Join(wrap, err)
			p.Keys[i].Value = v
		}
	})
	return errors.Join(err, wrap)
}

func replaceLength(ctx context.Context) error {
	w := bench.From(ctx)
	base, err := w.BaseSet()
	if err != nil {
		return err
	}
	n := 32
	if base.ENC.Len() == n {
		n = 16
	}
	set, err := bench.TestSet(bench.OtherKVN, keys.AES, n)
	if err != nil {
		return err
	}
	return send(ctx, bench.TestKVN, set, nil)
}

// putOne puts one key of a set under the version of the test keys, in place of old or, with 00, as a
// new one.
func putOne(ctx context.Context, old, from keys.KVN, id int) error {
	w := bench.From(ctx)
	if w.Channel == nil {
		return errNoChannel
	}
	set, err := w.TestSet(from)
	if err != nil {
		return err
	}
	k := map[int]keys.Key{1: set.ENC, 2: set.MAC, 3: set.DEK}[id]
	data, err := w.Channel.KeyData(k)
	if err != nil {
		return err
	}
	p := gp.PutKey{OldKVN: old, FirstKeyID: keys.KeyID(id), Ne: apdu.MaxShortNe}
	p.KVN, p.Keys = bench.TestKVN, []gp.KeyData{data}
	return w.Secure(ctx, p.Command())
}

func putBack(ctx context.Context, text string) error {
	old, err := version(ctx, text)
	if err != nil {
		return err
	}
	set, err := bench.From(ctx).BaseSet()
	if err != nil {
		return err
	}
	return send(ctx, old, set, nil)
}

func answerLists(ctx context.Context) error {
	w := bench.From(ctx)
	want, err := w.Noted("put")
	if err != nil {
		return err
	}
	w.Check(verdict.Check{
		Kind: verdict.Same, Subject: "version and check values", Exchange: w.Last.N,
		Got: []string{fmt.Sprintf("%X", w.Last.Resp.Data)}, Want: []string{fmt.Sprintf("%X", want)},
	})
	return nil
}

// opens tries a key version by a whole handshake, and wants it to be that of a set.
func opens(ctx context.Context, kvn keys.KVN, subject string) error {
	w := bench.From(ctx)
	if _, err := w.SelectISD(ctx); err != nil {
		return err
	}
	got := "a channel"
	c, err := w.Open(ctx, kvn, scp.CMAC)
	switch {
	case err != nil && (errors.Is(err, bench.ErrKeys) || isSW(err)):
		got = err.Error()
	case err != nil:
		return err
	default:
		a, err := c.Send(ctx, gp.GetStatus{Scope: gp.ScopeISD, Tagged: w.Tagged, Ne: apdu.MaxShortNe}.Command())
		if err != nil {
			return err
		}
		if !a.Resp.SW.OK() {
			got = a.Resp.SW.Error()
		}
	}
	w.Check(verdict.Check{
		Kind: verdict.Member, Subject: subject, Got: []string{got}, Want: []string{"a channel"}, Probe: true,
	})
	return nil
}

func isSW(err error) bool {
	var sw apdu.SW
	return errors.As(err, &sw)
}

func testKeysOpen(ctx context.Context) error {
	kvn, err := bench.From(ctx).Noted("kvn put")
	if err != nil {
		return err
	}
	return opens(ctx, keys.KVN(kvn[0]), "what the test keys open")
}

func testKeysOpenIfTaken(ctx context.Context) error {
	if !bench.From(ctx).Last.Wire.SW.OK() {
		return nil
	}
	return testKeysOpen(ctx)
}

func ownKeysOpen(ctx context.Context) error {
	return opens(ctx, bench.From(ctx).Base.KVN, "what the card's own keys open")
}

func versionIs(ctx context.Context, text, where string) error {
	w := bench.From(ctx)
	kvn, err := version(ctx, text)
	if err != nil {
		return err
	}
	if _, err := w.SelectISD(ctx); err != nil {
		return err
	}
	there, err := w.HasVersion(ctx, kvn)
	if err != nil && !errors.Is(err, bench.ErrKeys) {
		return err
	}
	got := map[bool]string{true: "there", false: "gone"}[there]
	w.Check(verdict.Check{
		Kind: verdict.Member, Subject: "key version " + kvn.String(), Got: []string{got}, Want: []string{where},
		Probe: true,
	})
	return nil
}
