// Package cardkeys holds the steps about the keys on a card: what the card lists, and what changes
// when keys are put, replaced and deleted.
package cardkeys

import (
	"context"
	"fmt"

	"tokenwright/features/script"
	"tokenwright/features/steps/bench"
	"tokenwright/features/verdict"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/keys"
)

// AddSteps registers the steps.
func AddSteps(book *script.Book) {
	addPutSteps(book)
	book.Step(`^the key information lists version "([^"]*)" with (\d+) keys$`, listsVersion)
	book.Step(`^the key information gives types and lengths of the protocol$`, typesAndLengths)
	book.Step(`^the key information names each key once$`, eachOnce)
	book.Step(`^the key information has one form$`, oneForm)
}

// information reads the key information template from the last answer.
func information(w *bench.Work) (gp.KeyInformationTemplate, error) {
	return gp.ParseKeyInformationTemplate(w.Last.Resp.Data)
}

func listsVersion(ctx context.Context, version string, n int) error {
	w := bench.From(ctx)
	kvn, err := w.Expand(version)
	if err != nil {
		return err
	}
	t, err := information(w)
	if !w.Readable("key information", err) {
		return nil
	}
	w.Check(verdict.Check{
		Kind: verdict.Member, Subject: fmt.Sprintf("keys of version %X", kvn), Exchange: w.Last.N,
		Got: []string{fmt.Sprint(len(t.Version(keys.KVN(kvn[0]))))}, Want: []string{fmt.Sprint(n)},
	})
	return nil
}

// typesAndLengths: 3DES keys of 16 bytes, or 24; AES keys of 16, 24 or 32 (GPCS 2.3.1 §11.1.8).
func typesAndLengths(ctx context.Context) error {
	w := bench.From(ctx)
	t, err := information(w)
	if !w.Readable("key information", err) {
		return nil
	}
	c := verdict.Check{Kind: verdict.Member, Subject: "type and length of keys", Exchange: w.Last.N}
	for _, k := range t.Keys {
		for _, part := range k.Components {
			c.Got = append(c.Got, fmt.Sprintf("%02X %02X", byte(part.Type), part.Len))
		}
	}
	c.Want = []string{"80 10", "82 10", "83 10", "84 10"}
	if w.Facts["scp"] == "3" {
		c.Want = []string{"88 10", "88 18", "88 20"}
	}
	w.Check(c)
	return nil
}

func eachOnce(ctx context.Context) error {
	w := bench.From(ctx)
	t, err := information(w)
	if !w.Readable("key information", err) {
		return nil
	}
	c := verdict.Check{Kind: verdict.Differ, Subject: "version and identifier of keys", Exchange: w.Last.N}
	for _, k := range t.Keys {
		c.Got = append(c.Got, fmt.Sprintf("%s %s", k.KVN, k.KeyID))
	}
	w.Check(c)
	return nil
}

func oneForm(ctx context.Context) error {
	w := bench.From(ctx)
	t, err := information(w)
	if !w.Readable("key information", err) {
		return nil
	}
	c := verdict.Check{Kind: verdict.Member, Subject: "form of the elements", Exchange: w.Last.N}
	form := map[bool]string{false: "basic", true: "extended"}
	for _, k := range t.Keys {
		c.Got = append(c.Got, form[k.Extended])
		if len(c.Want) == 0 {
			c.Want = []string{form[k.Extended]}
		}
	}
	w.Check(c)
	return nil
}
