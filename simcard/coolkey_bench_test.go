package simcard_test

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// benchCommand counts how often a card answers one command with 9000, and states the ratio that it
// must reach.
func benchCommand(b *testing.B, c *simcard.Card, cmd string, ratio float64) {
	b.Helper()
	raw, ctx := unhex(b, cmd), context.Background()
	b.ReportAllocs()
	for b.Loop() {
		resp, err := c.Transmit(ctx, raw)
		if err != nil || resp[len(resp)-2] != 0x90 {
			b.Fatal(upper(resp), err)
		}
	}
	perSecond(b, 1)
	b.ReportMetric(ratio, "min-ratio")
}

// benchEmpty reads a command and answers n bytes, and does nothing in between.
func benchEmpty(b *testing.B, cmd string, n int) {
	b.Helper()
	raw, data := unhex(b, cmd), make([]byte, n)
	for b.Loop() {
		if _, err := apdu.Parse(raw); err != nil {
			b.Fatal(err)
		}
		answer = apdu.Response{Data: data, SW: apdu.SW9000}.Bytes()
	}
	perSecond(b, 1)
}

// BenchmarkCoolKeyPlain are commands outside the secure channel, with few objects on the card and with
// many, beside an empty handler.
func BenchmarkCoolKeyPlain(b *testing.B) {
	const status, read = "B03C000010", "B056000011" + z0 + "00000000D0" + zeroNonce
	for _, objects := range []int{0, 100} {
		h := ra(b)
		h.each(exchange{create(z0, 240, "FFFFFFFFFFFF"), "9000"})
		for n := range objects {
			h.each(exchange{create(fmt.Sprintf("41%06X", n), 8, "FFFFFFFFFFFF"), "9000"})
		}
		name := fmt.Sprintf("objects=%d", objects)
		b.Run("status/"+name+"/ours", func(b *testing.B) { benchCommand(b, h.c, status, 1./20) })
		b.Run("status/"+name+"/baseline", func(b *testing.B) { benchEmpty(b, status, 16) })
		b.Run("read/"+name+"/ours", func(b *testing.B) { benchCommand(b, h.c, read, 1./20) })
		b.Run("read/"+name+"/baseline", func(b *testing.B) { benchEmpty(b, read, 208) })
	}
}

// BenchmarkCoolKeySecureWrite writes 208 bytes into an object at security level 03, each time others,
// and commits them: the host protects, the card opens, does and protects, the host opens. The baseline
// are the ciphers of both ends over the same bytes: the MAC, what goes into it, and the encryption.
func BenchmarkCoolKeySecureWrite(b *testing.B) {
	for _, c := range []struct {
		stock    string
		msg, enc int // bytes under the MAC and encrypted
	}{
		{"op201-scp01", 5 + 217, 224}, {"gp211-scp02", 5 + 217, 224}, {"sce7-scp03", 16 + 5 + 224, 224},
	} {
		b.Run(c.stock+"/ours", func(b *testing.B) { benchSecureWrite(b, c.stock) })
		b.Run(c.stock+"/baseline", func(b *testing.B) {
			h := benchChannel(b, c.stock)
			msg, blocks := make([]byte, c.msg), make([]byte, c.enc)
			for b.Loop() {
				if err := ciphers(h.info.SCP, h.sk, msg, blocks); err != nil {
					b.Fatal(err)
				}
			}
			perSecond(b, 1)
		})
	}
}

func benchChannel(b *testing.B, name string) *host {
	b.Helper()
	c := newCard(b, name, withCoolKey())
	require.Equal(b, "9000", send(b, c, selectCoolKey))
	h := channel(b, c, c.Stock().Keys.KVN, scp.CMAC|scp.CDEC)
	h.each(exchange{create(z0, 240, "FFFFFFFFFFFF"), "9000"})
	return h
}

func benchSecureWrite(b *testing.B, name string) {
	h, ctx := benchChannel(b, name), context.Background()
	data := unhex(b, z0+"00000000D0"+strings.Repeat("00", 208))
	b.ReportAllocs()
	for n := uint32(0); b.Loop(); n++ {
		for at := 9; at < len(data); at += 4 {
			binary.BigEndian.PutUint32(data[at:], n)
		}
		cmd, err := h.scp.Wrap(apdu.Command{CLA: 0x84, INS: 0x54, Data: data})
		if err != nil {
			b.Fatal(err)
		}
		raw, err := cmd.Bytes()
		if err != nil {
			b.Fatal(err)
		}
		raw, err = h.c.Transmit(ctx, raw)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := apdu.ParseResponse(raw)
		if err != nil {
			b.Fatal(err)
		}
		if resp, err = h.scp.Unwrap(resp); err != nil || !resp.SW.OK() {
			b.Fatal(resp, err)
		}
	}
	perSecond(b, 1)
	b.ReportMetric(1./3, "min-ratio")
}

// ciphers are those of one command, at both ends.
func ciphers(protocol byte, sk keys.SessionKeys, msg, blocks []byte) error {
	iv := make([]byte, 16)
	for range 2 {
		var err error
		switch protocol {
		case 1:
			_, err = sk.SMAC.FullMAC([8]byte{}, msg)
		case 2:
			if _, err = sk.SMAC.EncryptSingleDES([8]byte{}); err == nil {
				_, err = sk.SMAC.RetailMAC([8]byte{}, msg)
			}
		case 3:
			if _, err = sk.SENC.EncryptECB(iv); err == nil {
				_, err = sk.SMAC.CMAC(msg)
			}
		}
		if err != nil {
			return err
		}
	}
	iv = iv[:sk.SENC.Algorithm().BlockSize()]
	c, err := sk.SENC.EncryptCBC(iv, blocks)
	if err != nil {
		return err
	}
	_, err = sk.SENC.DecryptCBC(iv, c)
	return err
}

// BenchmarkCoolKeyRSA are private operations of RSA-2048 with the input in the buffer, signing with
// the applet's self check, beside those of crypto/rsa. The result of one is the input of the next.
func BenchmarkCoolKeyRSA(b *testing.B) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(b, err)
	der, err := x509.MarshalPKCS8PrivateKey(k)
	require.NoError(b, err)
	h := ra(b)
	h.store("FF00FFF3", "FFFFFFFFFFFF", append([]byte{0, 9, 8, 0}, der...))
	h.each(exchange{"8432000110FF00FFF3FFFF4000FFFFFFFF4000FFFF", "9000"})
	start := func(b *testing.B) {
		b.Helper()
		for at, part := range []string{"0100" + strings.Repeat("00", 98), strings.Repeat("5A", 158)} {
			h.each(exchange{fmt.Sprintf("84540000%02XFFFFFFFF%08X%02X%s", 9+len(part)/2, 100*at,
				len(part)/2, part), "9000"})
		}
	}
	digest := sha256.Sum256([]byte("message"))
	sealed, err := rsa.EncryptPKCS1v15(rand.Reader, &k.PublicKey, digest[:])
	require.NoError(b, err)
	b.Run("sign/ours", func(b *testing.B) {
		start(b)
		benchCommand(b, h.c, "B03600040D0003020000"+zeroNonce, 0.9)
	})
	b.Run("sign/baseline", func(b *testing.B) {
		for b.Loop() {
			if _, err := rsa.SignPKCS1v15(nil, k, crypto.SHA256, digest[:]); err != nil {
				b.Fatal(err)
			}
		}
		perSecond(b, 1)
	})
	b.Run("decrypt/ours", func(b *testing.B) {
		start(b)
		benchCommand(b, h.c, "B03600040D0004020000"+zeroNonce, 0.9)
	})
	b.Run("decrypt/baseline", func(b *testing.B) {
		for b.Loop() {
			if _, err := rsa.DecryptPKCS1v15(nil, k, sealed); err != nil {
				b.Fatal(err)
			}
		}
		perSecond(b, 1)
	})
}

// BenchmarkCoolKeyP256 are operations on P-256 beside those of crypto/ecdsa and crypto/ecdh.
func BenchmarkCoolKeyP256(b *testing.B) {
	h := ra(b)
	wrapped, err := h.set.DEK.EncryptECB(make([]byte, 16))
	require.NoError(b, err)
	h.each(exchange{"840DF20317" + "800100000010" + upper(wrapped) + "00", "9000"})
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(b, err)
	dh, err := k.ECDH()
	require.NoError(b, err)
	peer, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(b, err)
	point := upper(peer.PublicKey().Bytes())
	digest := sha256.Sum256([]byte("message"))
	b.Run("sign/ours", func(b *testing.B) {
		benchCommand(b, h.c, "B03702042B010020"+upper(digest[:])+zeroNonce, 0.8)
	})
	b.Run("sign/baseline", func(b *testing.B) {
		for b.Loop() {
			if _, err := k.Sign(nil, digest[:], crypto.SHA256); err != nil {
				b.Fatal(err)
			}
		}
		perSecond(b, 1)
	})
	b.Run("derive/ours", func(b *testing.B) {
		benchCommand(b, h.c, "B03802044C010041"+point+zeroNonce, 0.8)
	})
	b.Run("derive/baseline", func(b *testing.B) {
		for b.Loop() {
			other, err := ecdh.P256().NewPublicKey(peer.PublicKey().Bytes())
			if err != nil {
				b.Fatal(err)
			}
			if _, err := dh.ECDH(other); err != nil {
				b.Fatal(err)
			}
		}
		perSecond(b, 1)
	})
}

// The command path allocates the same however many objects there are.
func TestNoAllocationGrowsWithObjects(t *testing.T) {
	for _, cmd := range []string{
		"B03C000010", "B05800000E", readOne(z0) + zeroNonce, "B054000012" + z0 + "0000000001AA" + zeroNonce,
		"B05200000C41414141" + zeroNonce,
	} {
		var allocs [2]float64
		for i, objects := range []int{1, 100} {
			h := ra(t)
			h.each(exchange{create(z0, 16, "FFFFFFFFFFFF"), "9000"})
			for n := range objects {
				h.each(exchange{create(fmt.Sprintf("42%06X", n), 8, "FFFFFFFFFFFF"), "9000"})
			}
			raw := unhex(t, cmd)
			allocs[i] = testing.AllocsPerRun(50, func() {
				_, err := h.c.Transmit(context.Background(), raw)
				require.NoError(t, err)
			})
		}
		require.InDelta(t, allocs[0], allocs[1], 0.5, cmd)
	}
}
