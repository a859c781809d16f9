package scp_test

import (
	"bytes"
	"errors"
	"testing"

	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/scp"
)

// fuzzed picks a variant and a level for two fuzzed bytes.
func fuzzed(v, l byte) (scp.Variant, scp.Level) {
	all := explicitVariants()
	variant := all[int(v)%len(all)]
	levels := levelsOf(variant)
	return variant, levels[int(l)%len(levels)]
}

// FuzzCardUnwrap sends hostile bytes to an open card. Without the keys nothing but the genuine
// command gets through a MAC, and after the first failure nothing does.
func FuzzCardUnwrap(f *testing.F) {
	for v, variant := range explicitVariants() {
		for l, level := range levelsOf(variant) {
			h, _ := pair(f, variant, level, scp.HostOptions{})
			w, err := h.Wrap(getStatus)
			if err != nil {
				f.Fatal(err)
			}
			b, err := w.Bytes()
			if err != nil {
				f.Fatal(err)
			}
			if v%9 == 0 {
				f.Add(byte(v), byte(l), b)
				f.Add(byte(v), byte(l), b[:len(b)-3])
			}
		}
	}
	f.Add(byte(0), byte(2), []byte{0x84, 0xF2, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7})
	f.Add(byte(66), byte(2), []byte{0x84, 0xF2, 0, 0, 0, 1, 0, 1})
	f.Fuzz(func(t *testing.T, v, l byte, b []byte) {
		cmd, err := apdu.Parse(b)
		if err != nil {
			return
		}
		variant, level := fuzzed(v, l)
		h, c := pair(t, variant, level, scp.HostOptions{})
		genuine, err := h.Wrap(getStatus)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := c.Unwrap(cmd)
		if err == nil {
			if level.Has(scp.CMAC) && (!bytes.Equal(cmd.Data, genuine.Data) || cmd.INS != genuine.INS) {
				t.Fatalf("%v level %v let % X through", variant, level, b)
			}
			if apdu.Secure(plain.CLA) {
				t.Fatalf("secure messaging bit left in % X", b)
			}
			if _, err := c.Wrap(answer); err != nil {
				t.Fatal(err)
			}
			return
		}
		if !errors.Is(err, scp.ErrMAC) && !errors.Is(err, scp.ErrLevel) && !errors.Is(err, scp.ErrFormat) {
			t.Fatalf("unnamed error %v", err)
		}
		if _, err := c.Unwrap(genuine); !errors.Is(err, scp.ErrSessionEnded) {
			t.Fatalf("the session outlived a failure: %v", err)
		}
	})
}

// FuzzHostUnwrap sends hostile responses to an open host.
func FuzzHostUnwrap(f *testing.F) {
	for v, variant := range explicitVariants() {
		for l, level := range levelsOf(variant) {
			if !level.Has(scp.RMAC) || v%5 != 0 {
				continue
			}
			h, c := pair(f, variant, level, scp.HostOptions{})
			w, err := h.Wrap(getStatus)
			if err != nil {
				f.Fatal(err)
			}
			if _, err = c.Unwrap(w); err != nil {
				f.Fatal(err)
			}
			r, err := c.Wrap(answer)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(byte(v), byte(l), r.Bytes())
			f.Add(byte(v), byte(l), r.Bytes()[1:])
		}
	}
	f.Add(byte(71), byte(5), []byte{0x90, 0x00})
	f.Add(byte(71), byte(5), []byte{0x6A, 0x88})
	f.Fuzz(func(t *testing.T, v, l byte, b []byte) {
		resp, err := apdu.ParseResponse(b)
		if err != nil {
			return
		}
		variant, level := fuzzed(v, l)
		h, c := pair(t, variant, level, scp.HostOptions{})
		w, err := h.Wrap(getStatus)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = c.Unwrap(w); err != nil {
			t.Fatal(err)
		}
		genuine, err := c.Wrap(answer)
		if err != nil {
			t.Fatal(err)
		}
		got, err := h.Unwrap(resp)
		if err == nil {
			protected := level.Has(scp.RMAC) && (resp.SW.OK() || resp.SW.Warning())
			if protected && !bytes.Equal(b, genuine.Bytes()) {
				t.Fatalf("%v level %v let % X through", variant, level, b)
			}
			if got.SW != resp.SW {
				t.Fatalf("status word %v became %v", resp.SW, got.SW)
			}
			return
		}
		if !errors.Is(err, scp.ErrMAC) && !errors.Is(err, scp.ErrPadding) {
			t.Fatalf("unnamed error %v", err)
		}
		if !h.Ended() {
			t.Fatal("the session outlived a failure")
		}
	})
}
