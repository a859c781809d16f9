package content

import (
	"context"
	"fmt"
	"slices"

	"tokenwright/features/script"
	"tokenwright/features/steps/bench"
	"tokenwright/features/verdict"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/scp"
)

func addStatusSteps(book *script.Book) {
	book.Step(`^the host asks for the status of the issuer security domain in the channel$`, func(ctx context.Context) error {
		return bench.From(ctx).Secure(ctx, statusOf(ctx, gp.ScopeISD))
	})
	book.Step(`^the host asks for the status of the issuer security domain$`, func(ctx context.Context) error {
		raw, err := statusOf(ctx, gp.ScopeISD).Bytes()
		if err != nil {
			return err
		}
		return bench.From(ctx).Send(ctx, raw)
	})
	book.Step(`^the host asks for the status of all (applications|load files|modules) in the channel$`, statusAll)
	book.Step(`^the host asks for the rest of the status$`, statusRest)
	book.Step(`^the host asks for the status of applications that start with "([^"]*)" in the channel$`, statusPrefix)
	book.Step(`^every entry of the status starts with "([^"]*)"$`, everyStarts)
	book.Step(`^the status has (\d+) entries$`, hasEntries)
	book.Step(`^the status lists each of the applications once$`, eachOnce)
	book.Step(`^the registry lists "([^"]*)" in state "([0-9A-F]{2})"$`, lists)
	book.Step(`^the registry lists "([^"]*)" in the state of before$`, listsAsBefore)
	book.Step(`^the registry does not list "([^"]*)"$`, listsNot)
}

func statusOf(ctx context.Context, scope gp.Scope) apdu.Command {
	return gp.GetStatus{Scope: scope, Tagged: bench.From(ctx).Tagged, Ne: apdu.MaxShortNe}.Command()
}

var scopes = map[string]gp.Scope{
	"applications": gp.ScopeApplications, "load files": gp.ScopeLoadFiles, "modules": gp.ScopeModules,
}

func statusPrefix(ctx context.Context, text string) error {
	w := bench.From(ctx)
	aid, err := w.Expand(text)
	if err != nil {
		return err
	}
	g := gp.GetStatus{Scope: gp.ScopeApplications, AID: aid, Tagged: w.Tagged, Ne: apdu.MaxShortNe}
	if err := w.Secure(ctx, g.Command()); err != nil {
		return err
	}
	w.Note(noteEntries, w.Last.Resp.Data)
	return nil
}

func everyStarts(ctx context.Context, text string) error {
	w := bench.From(ctx)
	aid, err := w.Expand(text)
	if err != nil {
		return err
	}
	reg, err := entries(w)
	if !w.Readable("entries of the registry", err) {
		return nil
	}
	c := verdict.Check{
		Kind: verdict.Member, Subject: "first bytes of each AID", Exchange: w.Last.N,
		Want: []string{fmt.Sprintf("%X", aid)},
	}
	for _, e := range reg {
		c.Got = append(c.Got, fmt.Sprintf("%X", []byte(e.AID)[:min(len(e.AID), len(aid))]))
	}
	w.Check(c)
	return nil
}

func hasEntries(ctx context.Context, n int) error {
	w := bench.From(ctx)
	reg, err := entries(w)
	if !w.Readable("entries of the registry", err) {
		return nil
	}
	w.Check(verdict.Check{
		Kind: verdict.Member, Subject: "entries", Exchange: w.Last.N, Got: []string{fmt.Sprint(len(reg))},
		Want: []string{fmt.Sprint(n)},
	})
	return nil
}

// noteScope and noteEntries keep what a long GET STATUS has answered so far.
const noteScope, noteEntries = "scope", "entries"

func statusAll(ctx context.Context, what string) error {
	w := bench.From(ctx)
	if err := w.Secure(ctx, statusOf(ctx, scopes[what])); err != nil {
		return err
	}
	w.Note(noteScope, []byte{byte(scopes[what])})
	w.Note(noteEntries, w.Last.Resp.Data)
	return nil
}

func statusRest(ctx context.Context) error {
	w := bench.From(ctx)
	scope, err := w.Noted(noteScope)
	if err != nil {
		return err
	}
	all, err := w.Noted(noteEntries)
	if err != nil {
		return err
	}
	for range maxPages {
		g := gp.GetStatus{Scope: gp.Scope(scope[0]), Tagged: w.Tagged, Next: true, Ne: apdu.MaxShortNe}
		if err := w.Secure(ctx, g.Command()); err != nil {
			return err
		}
		all = append(all, w.Last.Resp.Data...)
		if w.Last.Wire.SW != apdu.SW6310 {
			break
		}
	}
	w.Note(noteEntries, all)
	return nil
}

const maxPages = 64

// entries reads the registry as the last GET STATUS has listed it.
func entries(w *bench.Work) (gp.Registry, error) {
	all, err := w.Noted(noteEntries)
	if err != nil {
		return nil, err
	}
	if w.Tagged {
		return gp.ParseRegistry(all)
	}
	return gp.ParseRegistryOld(all, false)
}

func eachOnce(ctx context.Context) error {
	w := bench.From(ctx)
	reg, err := entries(w)
	if !w.Readable("entries of the registry", err) {
		return nil
	}
	var got, want []string
	for _, e := range reg {
		if e.AID.HasPrefix(bench.TestPrefix) {
			got = append(got, e.AID.String())
		}
	}
	for n := range manyInstances {
		want = append(want, instanceAID(n+1).String())
	}
	slices.Sort(got)
	w.Check(verdict.Check{
		Kind: verdict.Same, Subject: "applications in all pages", Exchange: w.Last.N, Got: got, Want: want,
	})
	return nil
}

// find reads applications and load files in a channel of its own.
func find(ctx context.Context, text string) (e gp.RegistryEntry, found bool, err error) {
	w := bench.From(ctx)
	if _, _, err := module(w); err != nil && w.LoadFile != nil {
		return e, false, err
	}
	aid, err := w.Expand(text)
	if err != nil {
		return e, false, err
	}
	if _, err := w.SelectISD(ctx); err != nil {
		return e, false, err
	}
	c, err := w.Open(ctx, 0, scp.CMAC)
	if err != nil {
		return e, false, err
	}
	for _, scope := range []gp.Scope{gp.ScopeISD, gp.ScopeApplications, gp.ScopeLoadFiles} {
		reg, err := c.Registry(ctx, scope)
		if err != nil {
			return e, false, err
		}
		if e, found = reg.Find(aid); found {
			return e, true, nil
		}
	}
	return e, false, nil
}

func lists(ctx context.Context, text, state string) error {
	e, found, err := find(ctx, text)
	if err != nil {
		return err
	}
	got := "not listed"
	if found {
		got = fmt.Sprintf("%02X", e.LifeCycle)
	}
	bench.From(ctx).Check(verdict.Check{
		Kind: verdict.Member, Subject: "registry entry " + text, Got: []string{got}, Want: []string{state},
		Probe: true,
	})
	return nil
}

// listsAsBefore takes the card's state at the start of the run for that of before.
func listsAsBefore(ctx context.Context, text string) error {
	life := 0
	if _, err := fmt.Sscan(bench.From(ctx).Facts["life"], &life); err != nil {
		return err
	}
	return lists(ctx, text, fmt.Sprintf("%02X", life))
}

func listsNot(ctx context.Context, text string) error {
	_, found, err := find(ctx, text)
	if err != nil {
		return err
	}
	got := "not listed"
	if found {
		got = "listed"
	}
	bench.From(ctx).Check(verdict.Check{
		Kind: verdict.Member, Subject: "registry entry " + text, Got: []string{got},
		Want: []string{"not listed"}, Probe: true,
	})
	return nil
}
