// Package exchange holds the steps that send one command, byte for byte, and say what its answer has
// to be. They serve every clause; what needs more than bytes has a package of its own.
package exchange

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"tokenwright/features/script"
	"tokenwright/features/steps/bench"
	"tokenwright/features/verdict"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/tlv"
)

// AddSteps registers the steps.
func AddSteps(book *script.Book) {
	book.Step(`^the host sends "([^"]*)"$`, send)
	book.Step(`^the host sends "([^"]*)" in the channel$`, sendSecure)
	book.Step(`^the card (?:answers|refuses it with) ([0-9A-FX]{4}(?: or [0-9A-FX]{4})*)(?:, tolerated (.+))?$`, answers)
	book.Step(`^the card refuses it$`, refuses)
	book.Step(`^the answer has (\d+(?: or \d+)*) bytes$`, length)
	book.Step(`^the answer has at least (\d+) bytes$`, atLeast)
	book.Step(`^the answer is empty$`, func(ctx context.Context) error { return length(ctx, "0") })
	book.Step(`^the answer is "([^"]*)"$`, is)
	book.Step(`^the answer starts with "([^"]*)"$`, startsWith)
	book.Step(`^the answer holds "([0-9A-F/]+)"$`, holds)
	book.Step(`^the answer holds "([0-9A-F/]+)" equal to "([^"]*)"$`, holdsEqual)
	book.Step(`^"([0-9A-F/]+)" of the answer is one of "([^"]*)"$`, oneOf)
	book.Step(`^the answer does not hold "([0-9A-F/]+)"$`, holdsNot)
	book.Step(`^the status word is noted as "([^"]*)"$`, noteSW)
	book.Step(`^the answer is noted as "([^"]*)"$`, note)
	book.Step(`^bytes (\d+) to (\d+) of the answer are noted as "([^"]*)"$`, noteBytes)
	book.Step(`^the host sends every instruction of class 80 that changes nothing$`, everyInstruction)
	book.Step(`^the host sends (\d+) commands that are changed at random$`, mutated)
	book.Step(`^the card answered SELECT behind every hundred of them$`, alive)
	book.Step(`^the card does none of them$`, doesNone)
	book.Step(`^the host sends every form of every instruction in the channel$`, everyForm)
	book.Step(`^the card answers none of them by 6F00$`, none6F00)
	book.Step(`^"([0-9A-F/]+)" of the answer is noted as "([^"]*)"$`, noteValue)
	book.Step(`^"([^"]*)" is the same as "([^"]*)"$`, same)
	book.Step(`^"([^"]*)" differs from "([^"]*)"$`, differs)
}

func send(ctx context.Context, text string) error {
	w := bench.From(ctx)
	raw, err := w.Expand(text)
	if err != nil {
		return err
	}
	return w.Send(ctx, raw)
}

// sendSecure wraps a command that is given as it would be in the clear.
func sendSecure(ctx context.Context, text string) error {
	w := bench.From(ctx)
	raw, err := w.Expand(text)
	if err != nil {
		return err
	}
	cmd, err := apdu.Parse(raw)
	if err != nil {
		return err
	}
	return w.Secure(ctx, cmd)
}

func answers(ctx context.Context, want, tolerated string) error {
	w := bench.From(ctx)
	c := verdict.Check{
		Kind: verdict.Status, Subject: "status word", Exchange: w.Last.N,
		Got: []string{bench.SW(w.Last.Wire)}, Want: strings.Split(want, " or "),
	}
	if tolerated != "" {
		c.Tolerated = strings.Split(tolerated, " or ")
	}
	w.Check(c)
	return nil
}

func refuses(ctx context.Context) error {
	w := bench.From(ctx)
	w.Check(verdict.Check{
		Kind: verdict.Status, Subject: "status word", Exchange: w.Last.N,
		Got: []string{bench.SW(w.Last.Wire)}, Want: []string{verdict.AnyError},
	})
	return nil
}

// check records a comparison with the last answer.
func check(ctx context.Context, kind verdict.Kind, subject string, got, want []string) {
	w := bench.From(ctx)
	w.Check(verdict.Check{Kind: kind, Subject: subject, Exchange: w.Last.N, Got: got, Want: want})
}

func length(ctx context.Context, want string) error {
	n := strconv.Itoa(len(bench.From(ctx).Last.Resp.Data))
	check(ctx, verdict.Member, "bytes of data in the answer", []string{n}, strings.Split(want, " or "))
	return nil
}

func atLeast(ctx context.Context, want string) error {
	n := strconv.Itoa(len(bench.From(ctx).Last.Resp.Data))
	check(ctx, verdict.Least, "bytes of data in the answer", []string{n}, []string{want})
	return nil
}

func is(ctx context.Context, text string) error {
	w := bench.From(ctx)
	want, err := w.Expand(text)
	if err != nil {
		return err
	}
	check(ctx, verdict.Same, "data of the answer", []string{hex(w.Last.Resp.Data)}, []string{hex(want)})
	return nil
}

func startsWith(ctx context.Context, text string) error {
	w := bench.From(ctx)
	want, err := w.Expand(text)
	if err != nil {
		return err
	}
	got := w.Last.Resp.Data
	check(ctx, verdict.Same, "first bytes of the answer", []string{hex(got[:min(len(got), len(want))])},
		[]string{hex(want)})
	return nil
}

// find gives the value of a nested data object of the last answer, such as 6F/A5/9F65.
func find(ctx context.Context, path string) (value []byte, ok bool, err error) {
	nodes, err := tlv.Parse(bench.From(ctx).Last.Resp.Data)
	if err != nil {
		return nil, false, nil //nolint:nilerr // an answer that is no BER-TLV does not hold the object
	}
	var tags []uint32
	for part := range strings.SplitSeq(path, "/") {
		tag, err := strconv.ParseUint(part, 16, 32)
		if err != nil {
			return nil, false, fmt.Errorf("path %q: %w", path, err)
		}
		tags = append(tags, uint32(tag))
	}
	n, ok := tlv.Find(nodes, tags...)
	if !ok {
		return nil, false, nil
	}
	return n.Value, true, nil
}

func holds(ctx context.Context, path string) error {
	_, ok, err := find(ctx, path)
	if err != nil {
		return err
	}
	check(ctx, verdict.Member, "data object "+path, []string{presence(ok)}, []string{presence(true)})
	return nil
}

func oneOf(ctx context.Context, path, values string) error {
	v, ok, err := find(ctx, path)
	if err != nil {
		return err
	}
	got := presence(false)
	if ok {
		got = hex(v)
	}
	check(ctx, verdict.Member, "data object "+path, []string{got}, strings.Fields(values))
	return nil
}

func holdsNot(ctx context.Context, path string) error {
	_, ok, err := find(ctx, path)
	if err != nil {
		return err
	}
	check(ctx, verdict.Member, "data object "+path, []string{presence(ok)}, []string{presence(false)})
	return nil
}

func presence(ok bool) string {
	if ok {
		return "present"
	}
	return "absent"
}

func holdsEqual(ctx context.Context, path, text string) error {
	want, err := bench.From(ctx).Expand(text)
	if err != nil {
		return err
	}
	got, ok, err := find(ctx, path)
	if err != nil {
		return err
	}
	have := "absent"
	if ok {
		have = hex(got)
	}
	check(ctx, verdict.Member, "data object "+path, []string{have}, []string{hex(want)})
	return nil
}

func noteSW(ctx context.Context, name string) error {
	w := bench.From(ctx)
	w.Note(name, []byte{byte(w.Last.Wire.SW >> 8), byte(w.Last.Wire.SW)})
	return nil
}

func note(ctx context.Context, name string) error {
	w := bench.From(ctx)
	w.Note(name, w.Last.Resp.Data)
	return nil
}

// noteBytes counts from 1, both ends included.
func noteBytes(ctx context.Context, from, to int, name string) error {
	w := bench.From(ctx)
	data := w.Last.Resp.Data
	if from < 1 || to < from || to > len(data) {
		return fmt.Errorf("the answer has %d bytes, not %d", len(data), to)
	}
	w.Note(name, data[from-1:to])
	return nil
}

func noteValue(ctx context.Context, path, name string) error {
	v, ok, err := find(ctx, path)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("the answer holds no %s", path)
	}
	bench.From(ctx).Note(name, v)
	return nil
}

func same(ctx context.Context, a, b string) error {
	x, y, err := two(ctx, a, b)
	if err != nil {
		return err
	}
	check(ctx, verdict.Same, a+" beside "+b, []string{x}, []string{y})
	return nil
}

func differs(ctx context.Context, a, b string) error {
	x, y, err := two(ctx, a, b)
	if err != nil {
		return err
	}
	check(ctx, verdict.Differ, a+" beside "+b, []string{x, y}, nil)
	return nil
}

func two(ctx context.Context, a, b string) (x, y string, err error) {
	w := bench.From(ctx)
	v, err := w.Expand("{" + a + "}")
	if err != nil {
		return "", "", err
	}
	u, err := w.Expand("{" + b + "}")
	if err != nil {
		return "", "", err
	}
	return hex(v), hex(u), nil
}

func hex(b []byte) string { return fmt.Sprintf("%X", b) }
