package certify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"tokenwright/features/cardprofile"
	"tokenwright/features/evidence"
	"tokenwright/features/steps/bench"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/scp"
	"tokenwright/tms/gp/tlv"
)

// MaxSamples bounds how often an operation is measured.
const MaxSamples = 10000

// Profile describes the card: what it tells, what it can do, and how long it takes, each operation
// measured so many times. It changes nothing on the card but counters that each session moves.
func Profile(ctx context.Context, c Config, samples int) (cardprofile.Profile, error) {
	var p cardprofile.Profile
	if samples < 1 || samples > MaxSamples {
		return p, fmt.Errorf("%d samples, want 1 to %d", samples, MaxSamples)
	}
	r, header, err := begin(ctx, c)
	if err != nil {
		return p, err
	}
	reader, protocol, _ := strings.Cut(header.Reader, ", ")
	p = cardprofile.Profile{
		Schema: cardprofile.Schema, Tool: c.Tool, Taken: header.Started.Format(time.RFC3339), Reader: reader,
		Protocol: protocol, Fields: r.fields(), Times: map[string][]int64{},
	}
	if err := r.tell(ctx, p.Fields); err != nil {
		return p, err
	}
	return p, r.measure(ctx, samples, p.Times)
}

// begin identifies the card and finds out what it can do.
func begin(ctx context.Context, c Config) (*run, evidence.Header, error) {
	r := &run{Config: c, recorder: evidence.NewRecorder(c.Sink)}
	if r.Progress == nil {
		r.Progress = io.Discard
	}
	header, err := r.prepare(ctx)
	return r, header, err
}

// notOfTheCard are facts that depend on the host, or on what happens to be on the card.
var notOfTheCard = []string{
	"virtual", "keys", "load", "replaceable", "apps", "packages", "coolkey", "appletline", "kvn",
}

// fields are what is known behind discovery.
func (r *run) fields() map[string]string {
	out := map[string]string{
		"atr": fmt.Sprintf("%X", r.bench.ATR()), "isd": r.bench.ISD.String(), "cuid": r.bench.CUID.String(),
		"kdd": r.bench.KDD.String(),
	}
	for name, value := range maps.All(r.bench.Facts) {
		if !slices.Contains(notOfTheCard, name) {
			out["can."+name] = value
		}
	}
	if cplc, err := gp.ParseCPLC(r.bench.CPLC); err == nil {
		for _, f := range cplc.Fields() {
			out["cplc."+f.Name] = fmt.Sprintf("%X", f.Value)
		}
	}
	return out
}

// tell asks the card for what it says of itself.
func (r *run) tell(ctx context.Context, out map[string]string) error {
	if _, err := r.bench.SelectISD(ctx); err != nil {
		return err
	}
	for tag, put := range map[uint16]func([]byte){
		gp.TagRecognitionData: func(b []byte) { out["data.recognition"] = fmt.Sprintf("%X", b) },
		gp.TagCapabilities:    func(b []byte) { out["data.capabilities"] = fmt.Sprintf("%X", b) },
		gp.TagKeyInformation:  func(b []byte) { keyFields(b, out) },
		tagResources:          func(b []byte) { memoryFields(b, out) },
	} {
		resp, err := r.bench.Do(ctx, gp.GetData{Tag: tag, Ne: apdu.MaxShortNe}.Command())
		if err != nil {
			return err
		}
		if resp.SW.OK() {
			put(resp.Data)
		}
	}
	return nil
}

// tagResources is extended card resources information (ETSI TS 102 226 §8.2.1.7.2).
const tagResources = 0xFF21

func keyFields(b []byte, out map[string]string) {
	t, err := gp.ParseKeyInformationTemplate(b)
	if err != nil {
		return
	}
	for i, k := range t.Keys {
		text := fmt.Sprintf("id %v", k.KeyID)
		for _, part := range k.Components {
			text += fmt.Sprintf(", type %v of %d bytes", part.Type, part.Len)
		}
		out[fmt.Sprintf("keys.%02d", i)] = text
	}
}

func memoryFields(b []byte, out map[string]string) {
	nodes, err := tlv.Parse(b)
	if err != nil || len(nodes) != 1 {
		return
	}
	inner, err := tlv.Parse(nodes[0].Value)
	if err != nil {
		return
	}
	names := map[uint32]string{0x82: "memory.persistent", 0x83: "memory.transient"}
	for _, n := range inner {
		if name := names[n.Tag]; name != "" && len(n.Value) <= 8 {
			v := uint64(0)
			for _, x := range n.Value {
				v = v<<8 | uint64(x)
			}
			out[name] = fmt.Sprint(v)
		}
	}
}

// operation is what is measured: one command, after what has to come before it each time.
type operation struct {
	name   string
	before func(context.Context) error
	do     func(context.Context) error
}

func (r *run) operations() []operation {
	b := r.bench
	plain := func(c apdu.Command) func(context.Context) error {
		return func(ctx context.Context) error { _, err := b.Do(ctx, c); return err }
	}
	selectISD := func(ctx context.Context) error { _, err := b.SelectISD(ctx); return err }
	ops := []operation{
		{name: "apdu.SELECT", do: selectISD},
		{name: "apdu.GET DATA", do: plain(gp.GetData{Tag: gp.TagCPLC, Ne: apdu.MaxShortNe}.Command())},
	}
	if b.Facts["keys"] != "true" {
		return ops
	}
	var h *bench.Handshake
	var channel *bench.Channel
	initialize := func(ctx context.Context) (err error) { h, err = b.Initialize(ctx, 0); return err }
	open := func(ctx context.Context) (err error) { channel, err = b.Open(ctx, 0, scp.CMAC); return err }
	status := gp.GetStatus{Scope: gp.ScopeISD, Tagged: b.Tagged, Ne: apdu.MaxShortNe}.Command()
	return append(ops,
		operation{name: "apdu.INITIALIZE UPDATE", do: initialize},
		operation{name: "apdu.EXTERNAL AUTHENTICATE", before: initialize, do: func(ctx context.Context) error {
			_, err := b.Authenticate(ctx, h, scp.CMAC)
			return err
		}},
		operation{name: "apdu.GET STATUS", before: func(ctx context.Context) error {
			if channel != nil {
				return nil
			}
			return open(ctx)
		}, do: func(ctx context.Context) error { _, err := channel.Send(ctx, status); return err }},
	)
}

// measure takes the samples, in microseconds. What must come before an operation is not in its time.
func (r *run) measure(ctx context.Context, samples int, out map[string][]int64) error {
	if _, err := r.bench.SelectISD(ctx); err != nil {
		return err
	}
	for _, op := range r.operations() {
		fmt.Fprintf(r.Progress, "measuring %s, %d times\n", strings.TrimPrefix(op.name, "apdu."), samples)
		for range samples {
			if op.before != nil {
				if err := op.before(ctx); err != nil {
					return fmt.Errorf("%s: %w", op.name, err)
				}
			}
			_, start := r.bench.Sent()
			if err := op.do(ctx); err != nil {
				return fmt.Errorf("%s: %w", op.name, err)
			}
			_, end := r.bench.Sent()
			out[op.name] = append(out[op.name], (end - start).Microseconds())
		}
	}
	_, err := r.bench.SelectISD(ctx) // ends the session
	return errors.Join(err, r.recorder.Err())
}
