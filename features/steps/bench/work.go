package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"tokenwright/features/catalogue"
	"tokenwright/features/evidence"
	"tokenwright/features/script"
	"tokenwright/features/verdict"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/scp"
)

// Work is one case under way.
type Work struct {
	*Bench
	Case   catalogue.Case
	Checks []verdict.Check
	// Last is the last answer to a command of the case itself, not of a probe.
	Last    Answer
	Channel *Channel
	Shake   *Handshake // the last one that was begun
	noted   map[string][]byte
	record  *evidence.Recorder
}

type workKey struct{}

// Begin puts a case into the context that its steps get.
func Begin(ctx context.Context, b *Bench, c catalogue.Case, r *evidence.Recorder) (context.Context, *Work) {
	w := &Work{Bench: b, Case: c, noted: map[string][]byte{}, record: r}
	return context.WithValue(ctx, workKey{}, w), w
}

// From gives the case under way.
func From(ctx context.Context) *Work { return ctx.Value(workKey{}).(*Work) }

// Check hands an input to the judge.
func (w *Work) Check(c verdict.Check) {
	w.Checks = append(w.Checks, c)
	w.record.Add(evidence.Record{Kind: evidence.KindCheck, Check: &c})
}

// Readable says that data of the last answer could be read; it fails the case when they could not.
func (w *Work) Readable(what string, err error) bool {
	if err != nil {
		w.Check(verdict.Check{
			Kind: verdict.Member, Subject: what, Exchange: w.Last.N, Got: []string{err.Error()},
			Want: []string{"readable"},
		})
	}
	return err == nil
}

// Remark records something for whoever reads the report.
func (w *Work) Remark(format string, args ...any) {
	w.record.Add(evidence.Record{Kind: evidence.KindNote, Text: fmt.Sprintf(format, args...)})
}

// Note keeps bytes under a name, and Noted gives them.
func (w *Work) Note(name string, b []byte) { w.noted[name] = bytes.Clone(b) }

// Noted gives bytes that an earlier step has kept.
func (w *Work) Noted(name string) ([]byte, error) {
	b, ok := w.noted[name]
	if !ok {
		return nil, fmt.Errorf("no step has noted %q", name)
	}
	return b, nil
}

// Send sends a command as it is.
func (w *Work) Send(ctx context.Context, raw []byte) error {
	n, resp, err := w.Transmit(ctx, raw)
	if err != nil {
		return err
	}
	resp.Data = bytes.Clone(resp.Data)
	w.Last = Answer{N: n, Cmd: raw, Wire: resp, Resp: resp}
	return nil
}

// Secure sends a command in the open channel and checks the protection of its answer.
func (w *Work) Secure(ctx context.Context, cmd apdu.Command) error {
	if w.Channel == nil {
		return errors.New("no channel was opened")
	}
	a, err := w.Channel.Send(ctx, cmd)
	if err != nil {
		return err
	}
	return w.took(a)
}

// Deliver sends what a step has made of a wrapped command.
func (w *Work) Deliver(ctx context.Context, raw []byte) error {
	a, err := w.Channel.Deliver(ctx, raw)
	if err != nil {
		return err
	}
	return w.took(a)
}

func (w *Work) took(a Answer) error {
	w.Last = a
	if a.Protection == nil {
		return nil
	}
	w.Check(verdict.Check{
		Kind: verdict.Member, Subject: "protection of the answer", Exchange: a.N,
		Got: []string{a.Protection.Error()}, Want: []string{"right"},
	})
	return nil
}

// OpenChannel selects the issuer security domain and opens a channel with the card's own keys.
func (w *Work) OpenChannel(ctx context.Context, level scp.Level) error {
	if _, err := w.SelectISD(ctx); err != nil {
		return err
	}
	h, err := w.Initialize(ctx, 0)
	if err != nil {
		return err
	}
	w.Shake = h
	w.Channel, err = w.Authenticate(ctx, h, level)
	return err
}

// AddSteps registers the steps that set a case up and those that look at the state afterwards.
func AddSteps(book *script.Book) {
	book.Step(`^the card was reset$`, reset)
	book.Step(`^the card is reset$`, reset)
	book.Step(`^the issuer security domain is selected$`, selected)
	book.Step(`^a secure channel at level "([0-9A-F]{2})"$`, channel)
	book.Step(`^the answer to reset is that of the start$`, sameATR)
	book.Step(`^nothing has changed$`, unchanged)
	book.Step(`^every command of the run was answered$`, allAnswered)
	book.Step(`^no answer of the run had to be fetched$`, noneFetched)
	book.Step(`^the issuer security domain is still selected$`, stillSelected)
}

func reset(ctx context.Context) error { return From(ctx).Reset(ctx) }

func selected(ctx context.Context) error {
	_, err := From(ctx).SelectISD(ctx)
	return err
}

func channel(ctx context.Context, level string) error {
	var l byte
	if _, err := fmt.Sscanf(level, "%02X", &l); err != nil {
		return err
	}
	return From(ctx).OpenChannel(ctx, scp.Level(l))
}

func sameATR(ctx context.Context) error {
	w := From(ctx)
	w.Check(verdict.Check{
		Kind: verdict.Same, Subject: "answer to reset", Got: []string{fmt.Sprintf("%X", w.ATR())},
		Want: []string{fmt.Sprintf("%X", w.FirstATR)},
	})
	return nil
}

func allAnswered(ctx context.Context) error {
	w := From(ctx)
	n, _ := w.Manners()
	return w.none("commands without an answer", n)
}

func noneFetched(ctx context.Context) error {
	w := From(ctx)
	_, n := w.Manners()
	return w.none("answers that had to be fetched", n)
}

// none holds a count of the whole run against 0.
func (w *Work) none(subject string, n int) error {
	w.Check(verdict.Check{
		Kind: verdict.Member, Subject: subject, Got: []string{fmt.Sprint(n)}, Want: []string{"0"},
	})
	return nil
}

// unchanged compares the card's content with what it was before the case.
func unchanged(ctx context.Context) error {
	w := From(ctx)
	before := w.snapshot
	if before == nil {
		return errors.New("nobody looked at the card's content before the case")
	}
	w.Changed()
	after, err := w.Baseline(ctx)
	if err != nil {
		return err
	}
	w.Check(verdict.Check{
		Kind: verdict.Same, Subject: "the card's content", Got: after, Want: before, Probe: true,
	})
	return nil
}

// stillSelected asks the security domain for data that no applet answers.
func stillSelected(ctx context.Context) error {
	w := From(ctx)
	n, resp, err := w.Transmit(ctx, []byte{0x80, 0xCA, 0x9F, 0x7F, 0x00})
	if err != nil {
		return err
	}
	w.Check(verdict.Check{
		Kind: verdict.Status, Subject: "GET DATA of the security domain", Exchange: n,
		Got: []string{SW(resp)}, Want: []string{"9000"}, Probe: true,
	})
	return nil
}

// SW gives a status word as four hex digits.
func SW(r apdu.Response) string { return fmt.Sprintf("%04X", uint16(r.SW)) }
