package scp_test

import (
	"testing"

	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

const benchData = 200 // bytes of command data, as a LOAD block carries

// BenchmarkWrap protects a command at the host and opens it at the card, encrypted and MACed. Its
// baseline is the same ciphers over the same bytes, at both ends, and nothing around them.
func BenchmarkWrap(b *testing.B) {
	for _, c := range []struct {
		name     string
		v        scp.Variant
		msg, enc int // bytes under the MAC and encrypted
	}{
		{"scp01", scp.Variant{SCP: 1, I: 0x15}, 5 + benchData, 208},
		{"scp02", scp.Variant{SCP: 2, I: 0x55}, 5 + benchData, 208},
		{"scp03", scp.Variant{SCP: 3, I: 0x70}, 16 + 5 + 208, 208},
	} {
		b.Run(c.name+"/ours", func(b *testing.B) { benchWrap(b, c.v) })
		b.Run(c.name+"/baseline", func(b *testing.B) {
			sk := sessionKeys(b, scp.Variant{SCP: c.v.SCP})
			msg, blocks := make([]byte, c.msg), make([]byte, c.enc)
			b.SetBytes(benchData)
			for b.Loop() {
				if err := primitives[c.name](sk, msg, blocks); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchWrap(b *testing.B, v scp.Variant) {
	h, card := pair(b, v, scp.CMAC|scp.CDEC, scp.HostOptions{})
	cmd := apdu.Command{CLA: 0x80, INS: 0xE8, Data: make([]byte, benchData)}
	b.SetBytes(benchData)
	for b.Loop() {
		w, err := h.Wrap(cmd)
		if err == nil {
			_, err = card.Unwrap(w)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// primitives are the ciphers of one command, at both ends.
var primitives = map[string]func(keys.SessionKeys, []byte, []byte) error{
	"scp01": func(sk keys.SessionKeys, msg, blocks []byte) error {
		for range 2 {
			if _, err := sk.SMAC.EncryptECB(msg[:8]); err != nil {
				return err
			}
			if _, err := sk.SMAC.FullMAC([8]byte{}, msg); err != nil {
				return err
			}
		}
		return bothWays(sk.SENC, nil, blocks)
	},
	"scp02": func(sk keys.SessionKeys, msg, blocks []byte) error {
		for range 2 {
			if _, err := sk.SMAC.EncryptSingleDES([8]byte{}); err != nil {
				return err
			}
			if _, err := sk.SMAC.RetailMAC([8]byte{}, msg); err != nil {
				return err
			}
		}
		return bothWays(sk.SENC, nil, blocks)
	},
	"scp03": func(sk keys.SessionKeys, msg, blocks []byte) error {
		for range 2 {
			if _, err := sk.SENC.EncryptECB(msg[:16]); err != nil {
				return err
			}
			if _, err := sk.SMAC.CMAC(msg); err != nil {
				return err
			}
		}
		return bothWays(sk.SENC, blocks[:16], blocks)
	},
}

func bothWays(k keys.Key, iv, blocks []byte) error {
	c, err := k.EncryptCBC(iv, blocks)
	if err != nil {
		return err
	}
	_, err = k.DecryptCBC(iv, c)
	return err
}
