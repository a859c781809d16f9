package scp_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// The openssl oracle: a second implementation of the protocols, written from the specification
// texts, that takes its primitives from the openssl command and works on plain byte strings. It
// shares no line with the code under test. What no foreign vector covers is held against it.

// openssl runs the command once per distinct question. A machine without it fails the test: a
// skipped oracle would hide a common mistake of both ends.
type openssl struct {
	t     testing.TB
	path  string
	mu    sync.Mutex
	known map[string][]byte
}

func newOpenSSL(t testing.TB) *openssl {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatalf("the openssl command (3.0 or later) is needed as the independent oracle: %v", err)
	}
	return &openssl{t: t, path: path, known: map[string][]byte{}}
}

func (o *openssl) run(input []byte, args ...string) []byte {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	question := strings.Join(args, " ") + "|" + string(input)
	if b, ok := o.known[question]; ok {
		return b
	}
	cmd := exec.Command(o.path, args...)
	cmd.Stdin = bytes.NewReader(input)
	var out, diag bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diag
	if err := cmd.Run(); err != nil {
		o.t.Fatalf("openssl %s: %v: %s", args[0], err, diag.String())
	}
	o.known[question] = out.Bytes()
	return out.Bytes()
}

// tdes gives a key of 8 or 16 bytes in the 24-byte form: three times the same is single DES.
func tdes(k []byte) string {
	switch len(k) {
	case 8:
		return hex.EncodeToString(bytes.Repeat(k, 3))
	case 16:
		return hex.EncodeToString(append(bytes.Clone(k), k[:8]...))
	}
	panic("key length")
}

func (o *openssl) desCBC(k, iv, b []byte) []byte {
	return o.run(b, "enc", "-des-ede3-cbc", "-nopad", "-K", tdes(k), "-iv", hex.EncodeToString(iv))
}

func (o *openssl) desECB(k, b []byte) []byte {
	return o.run(b, "enc", "-des-ede3-ecb", "-nopad", "-K", tdes(k))
}

func (o *openssl) aesCBC(k, iv, b []byte) []byte {
	return o.run(b, "enc", fmt.Sprintf("-aes-%d-cbc", 8*len(k)), "-nopad",
		"-K", hex.EncodeToString(k), "-iv", hex.EncodeToString(iv))
}

func (o *openssl) cmac(k, b []byte) []byte {
	return o.run(b, "mac", "-binary", "-cipher", fmt.Sprintf("AES-%d-CBC", 8*len(k)),
		"-macopt", "hexkey:"+hex.EncodeToString(k), "CMAC")
}

var zero8, zero16 = make([]byte, 8), make([]byte, 16)

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func padded(b []byte, block int) []byte {
	b = append(bytes.Clone(b), 0x80)
	for len(b)%block != 0 {
		b = append(b, 0)
	}
	return b
}

// full is the full triple DES MAC (§B.1.2.1); retail single DES with a final triple DES (§B.1.2.2).
func (o *openssl) full(k, iv, msg []byte) []byte {
	c := o.desCBC(k, iv, padded(msg, 8))
	return c[len(c)-8:]
}

func (o *openssl) retail(k, iv, msg []byte) []byte {
	p := padded(msg, 8)
	if len(p) > 8 {
		c := o.desCBC(k[:8], iv, p[:len(p)-8])
		iv = c[len(c)-8:]
	}
	return o.desCBC(k, iv, p[len(p)-8:])
}

// kdf03 is the data derivation of AMD-D §4.1.5.
func (o *openssl) kdf03(k []byte, constant byte, bits int, context []byte) []byte {
	var out []byte
	for i := byte(1); len(out) < bits/8; i++ {
		length := binary.BigEndian.AppendUint16(nil, uint16(bits))
		out = append(out, o.cmac(k, join(make([]byte, 11), []byte{constant, 0}, length, []byte{i}, context))...)
	}
	return out[:bits/8]
}

// channel is the oracle's view of one session. All its fields are plain bytes.
type channel struct {
	o                 *openssl
	scp, i, level     byte
	senc, smac, srmac []byte
	hostC, cardC      []byte

	icv     []byte // C-MAC of the previous command
	first   bool
	chain   []byte
	counter int
	ricv    []byte
	last    []byte // plain command, header with Lc and data
}

// open derives session keys and cryptograms by openssl alone. The static keys differ.
func (o *openssl) open(scp, i, level byte, enc, mac, host, card, seq []byte) *channel {
	c := &channel{o: o, scp: scp, i: i, level: level, icv: zero8, chain: zero16, first: true}
	switch scp {
	case 1:
		data := join(card[4:8], host[0:4], card[0:4], host[4:8])
		c.senc, c.smac = o.desECB(enc, data), o.desECB(mac, data)
		c.cardC = o.full(c.senc, zero8, join(host, card))
		c.hostC = o.full(c.senc, zero8, join(card, host))
	case 2:
		derive := func(k []byte, constant ...byte) []byte {
			return o.desCBC(k, zero8, join(constant, seq, make([]byte, 12)))
		}
		c.senc, c.smac, c.srmac = derive(enc, 1, 0x82), derive(mac, 1, 1), derive(mac, 1, 2)
		c.cardC = o.full(c.senc, zero8, join(host, seq, card))
		c.hostC = o.full(c.senc, zero8, join(seq, card, host))
	case 3:
		ctx, bits := join(host, card), 8*len(mac)
		c.senc, c.smac, c.srmac = o.kdf03(enc, 4, bits, ctx), o.kdf03(mac, 6, bits, ctx), o.kdf03(mac, 7, bits, ctx)
		c.cardC, c.hostC = o.kdf03(c.smac, 0, 64, ctx), o.kdf03(c.smac, 1, 64, ctx)
	}
	return c
}

// cmacOver moves the chain on over a command whose MAC covers data, and gives the 8 bytes.
func (c *channel) cmacOver(head, data []byte) []byte {
	covered := join([]byte{head[0] | 0x04}, head[1:4], []byte{byte(len(data) + 8)}, data)
	if c.scp == 2 && c.i&0x02 != 0 { // C-MAC on unmodified APDU
		covered = join(head[:4], []byte{byte(len(data))}, data)
	}
	if c.scp == 3 {
		c.chain = c.o.cmac(c.smac, join(c.chain, covered))
		return c.chain[:8]
	}
	iv := c.icv
	if c.i&0x10 != 0 && !c.first { // ICV encryption
		if c.scp == 1 {
			iv = c.o.desECB(c.smac, iv)
		} else {
			iv = c.o.desECB(c.smac[:8], iv)
		}
	}
	c.first = false
	if c.scp == 1 {
		c.icv = c.o.full(c.smac, iv, covered)
	} else {
		c.icv = c.o.retail(c.smac, iv, covered)
	}
	return c.icv
}

func (c *channel) externalAuthenticate() []byte {
	mac := c.cmacOver([]byte{0x80, 0x82, c.level, 0x00}, c.hostC)
	c.ricv = c.icv
	return join([]byte{0x84, 0x82, c.level, 0x00, 0x10}, c.hostC, mac)
}

// wrap protects a plain command: header of four bytes, data, and Le or nothing.
func (c *channel) wrap(head, data, le []byte) []byte {
	c.last = join(head, []byte{byte(len(data))}, data)
	if c.level&0x01 == 0 {
		if len(data) == 0 {
			return join(head, le)
		}
		return join(c.last, le)
	}
	c.counter++
	sent := data
	encrypt := c.level&0x02 != 0 && len(data) > 0
	switch {
	case encrypt && c.scp == 1:
		b := join([]byte{byte(len(data))}, data)
		if len(b)%8 != 0 {
			b = padded(b, 8)
		}
		sent = c.o.desCBC(c.senc, zero8, b)
	case encrypt && c.scp == 2:
		sent = c.o.desCBC(c.senc, zero8, padded(data, 8))
	case encrypt && c.scp == 3:
		sent = c.o.aesCBC(c.senc, c.counterIV(0x00), padded(data, 16))
		data = sent // the MAC covers what is sent
	}
	mac := c.cmacOver(head, data)
	return join([]byte{head[0] | 0x04}, head[1:4], []byte{byte(len(sent) + 8)}, sent, mac, le)
}

func (c *channel) counterIV(top byte) []byte {
	block := binary.BigEndian.AppendUint64(make([]byte, 8), uint64(c.counter))
	block[0] = top
	return c.o.aesCBC(c.senc, zero16, block)
}

// respond protects a response and gives the whole of it with its status word.
func (c *channel) respond(data, sw []byte) []byte {
	good := sw[0] == 0x90 || sw[0] == 0x62 || sw[0] == 0x63
	switch {
	case c.level&0x10 == 0:
		return join(data, sw)
	case c.scp == 3 && !good:
		return sw
	case c.scp == 3:
		if c.level&0x20 != 0 && len(data) > 0 {
			data = c.o.aesCBC(c.senc, c.counterIV(0x80), padded(data, 16))
		}
		return join(data, c.o.cmac(c.srmac, join(c.chain, data, sw))[:8], sw)
	}
	if !good {
		data = nil
	}
	return join(data, c.countRMAC(data, sw), sw)
}

// countRMAC moves SCP02's R-MAC on over the last command and a response.
func (c *channel) countRMAC(data, sw []byte) []byte {
	c.ricv = c.o.retail(c.srmac, c.ricv, join(c.last, []byte{byte(len(data))}, data, sw))
	return c.ricv
}
