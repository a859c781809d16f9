package perso

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	applet "tokenwright/simcard/coolkey"
	"tokenwright/simcard/stock"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/coolkey/keyblob"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// virtual is a virtual card with the applet on it, and a channel to the applet.
type virtual struct {
	*simcard.Card
	set keys.KeySet
	ch  *Channel
}

func newVirtual(t *testing.T, stockName string, build uint32, heap uint16) *virtual {
	t.Helper()
	s, err := stock.ByName(stockName)
	require.NoError(t, err)
	params := coolkey.InstallParams{Memory: heap}.Bytes()
	c, err := simcard.New(s, simcard.WithSeed(1),
		simcard.WithApplet(applet.VersionOf(build), params))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.NoError(t, c.PowerOn())
	v := &virtual{Card: c}
	v.set, err = s.FactoryKeys(c.KDD())
	require.NoError(t, err)
	v.open(t)
	return v
}

// open selects the applet and opens a channel to it.
func (v *virtual) open(t *testing.T) {
	t.Helper()
	require.NoError(t, SelectApplet(t.Context(), v, coolkey.AppletAID))
	var err error
	v.ch, err = OpenChannel(t.Context(), v, ChannelOptions{
		Variants: []scp.Variant{{SCP: v.Stock().SCP, I: v.Stock().I}}, Keys: testKeyring(t, v.set),
	})
	require.NoError(t, err)
}

func (v *virtual) encrypt(_ context.Context, plain []byte) ([]byte, error) {
	return v.ch.EncryptDEK(v.set.DEK, plain)
}

// login gives the nonce of a user.
func (v *virtual) login(t *testing.T, pin string) coolkey.Nonce {
	t.Helper()
	data, err := expect(t.Context(), v, "log in", coolkey.VerifyPIN{PIN: []byte(pin)}.Command())
	require.NoError(t, err)
	nonce, err := coolkey.ParseNonce(data)
	require.NoError(t, err)
	return nonce
}

// signs proves that the private key in a slot goes with a public key: what it makes of a block is
// undone by the public key.
func (v *virtual) signs(t *testing.T, slot byte, key *rsa.PublicKey, nonce coolkey.Nonce) {
	t.Helper()
	u := User{Card: v, Nonce: nonce}
	block := append([]byte{0}, bytes.Repeat([]byte{0x5A}, key.Size()-1)...)
	in := append([]byte{byte(key.Size() >> 8), byte(key.Size())}, block...)
	require.NoError(t, WriteObject(t.Context(), inBuffer{u}, coolkey.ObjectIO, coolkey.ObjectACL{}, in))
	_, err := u.expect(t.Context(), "sign", coolkey.ComputeCrypt{
		Slot: slot, Op: coolkey.CryptOneStep, Direction: coolkey.DirectionDecrypt,
		Location: coolkey.LocationBuffer, NoLength: true, Auth: u.auth(),
	}.Command())
	require.NoError(t, err)
	out, err := ReadObject(t.Context(), u, coolkey.ObjectIO, len(in))
	require.NoError(t, err)
	back := new(big.Int).Exp(new(big.Int).SetBytes(out[2:]), big.NewInt(int64(key.E)), key.N)
	require.Equal(t, block, back.FillBytes(make([]byte, key.Size())))
}

// inBuffer is access to the buffer, which a user need not create.
type inBuffer struct{ User }

func (b inBuffer) expect(ctx context.Context, s Step, cmd apdu.Command) ([]byte, error) {
	if s == StepCreateObject {
		return nil, nil
	}
	return b.User.expect(ctx, s, cmd)
}

const (
	build14 = 0x58768072
	build15 = 0x65CBF5A6
)

// tokens are the stocks that tests personalise, each with the build of the applet that suits it.
var tokens = []struct {
	stock string
	build uint32
}{
	{"op201-scp01", build14}, {"gp211-scp01", build14}, {"gp211-scp02", build14},
	{"sce6-scp03", build15}, {"sce7-scp03", build15},
}

func eachToken(t *testing.T, test func(t *testing.T, v *virtual)) {
	for _, c := range tokens {
		t.Run(c.stock, func(t *testing.T) { test(t, newVirtual(t, c.stock, c.build, 8000)) })
	}
}

func TestSetPIN(t *testing.T) {
	eachToken(t, func(t *testing.T, v *virtual) {
		first := PINOptions{PIN: coolkey.PIN("1234"), Tries: 2}
		require.NoError(t, SetPIN(t.Context(), v.ch, first))
		require.False(t, v.login(t, "1234").IsZero())
		for range 2 {
			_, err := expect(t.Context(), v, "", coolkey.VerifyPIN{PIN: []byte("xxxx")}.Command())
			require.ErrorIs(t, err, apdu.SW9C02)
		}
		_, err := expect(t.Context(), v, "", coolkey.VerifyPIN{PIN: []byte("1234")}.Command())
		require.ErrorIs(t, err, apdu.SW9C0C, "blocked")
		require.NoError(t, SetPIN(t.Context(), v.ch, PINOptions{PIN: coolkey.PIN("56789")}),
			"sets a PIN that exists, and unblocks it")
		require.False(t, v.login(t, "56789").IsZero())

		err = SetPIN(t.Context(), v.ch, PINOptions{Number: 8, PIN: coolkey.PIN("1234")})
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, StepSetPIN, e.Step)
		require.Equal(t, apdu.SW9C10, e.SW)
		for _, bad := range []string{"", "123", "12345678901234567"} {
			err := SetPIN(t.Context(), v.ch, PINOptions{PIN: coolkey.PIN(bad)})
			require.ErrorIs(t, err, ErrPIN)
			if bad != "" {
				require.NotContains(t, err.Error(), bad)
			}
		}
	})
}

var pair1 = coolkey.PairAddress{Private: 2, Public: 3}

func TestGenerateKey(t *testing.T) {
	eachToken(t, func(t *testing.T, v *virtual) {
		require.NoError(t, SetPIN(t.Context(), v.ch, PINOptions{PIN: coolkey.PIN("1234")}))
		key, err := GenerateKey(t.Context(), v.ch, GenerateOptions{
			Pair: pair1, Bits: 1024, Challenge: [16]byte{1, 2, 3}, Encrypt: v.encrypt,
		})
		require.NoError(t, err)
		v.signs(t, 2, key.(*rsa.PublicKey), v.login(t, "1234"))

		// A challenge under the wrong key is another challenge.
		_, err = GenerateKey(t.Context(), v.ch, GenerateOptions{
			Pair: pair1, Bits: 1024, Challenge: [16]byte{1, 2, 3},
			Encrypt: func(context.Context, []byte) ([]byte, error) { return make([]byte, 16), nil },
		})
		require.ErrorIs(t, err, keyblob.ErrProof)
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, StepProof, e.Step)

		_, err = GenerateKey(t.Context(), v.ch, GenerateOptions{
			Pair: pair1, Bits: 2048, Encrypt: v.encrypt,
		})
		require.ErrorAs(t, err, &e)
		require.Equal(t, StepGenerateKey, e.Step)
		require.Equal(t, apdu.SW9C03, e.SW, "the slot holds a key of another length")
		errNoDEK := fmt.Errorf("no DEK")
		_, err = GenerateKey(t.Context(), v.ch, GenerateOptions{
			Encrypt: func(context.Context, []byte) ([]byte, error) { return nil, errNoDEK },
		})
		require.ErrorIs(t, err, errNoDEK)
	})
}

func TestGenerateKeyOnCurves(t *testing.T) {
	for _, c := range tokens[2:4] {
		v := newVirtual(t, c.stock, c.build, 5000)
		for i, bits := range []int{256, 384, 521} {
			key, err := GenerateKey(t.Context(), v.ch, GenerateOptions{
				Pair: coolkey.PairAddress{Private: byte(2 * i), Public: byte(2*i + 1)}, EC: true,
				Bits: bits, Challenge: [16]byte{9}, Encrypt: v.encrypt,
			})
			require.NoError(t, err)
			require.Equal(t, bits, key.(*ecdsa.PublicKey).Params().BitSize)
		}
	}
}

// importing wraps a key as a key recovery authority does.
func importing(t *testing.T, v *virtual, algorithm byte, key crypto.PrivateKey) ImportOptions {
	t.Helper()
	der, bits, err := keyblob.PKCS8(key)
	require.NoError(t, err)
	alg := keys.DES3
	if algorithm >= coolkey.AlgorithmAESKWP {
		alg = keys.AES
	}
	raw := make([]byte, 16)
	_, err = rand.Read(raw)
	require.NoError(t, err)
	session, err := keys.New(alg, raw)
	require.NoError(t, err)
	o := ImportOptions{
		Pair: coolkey.PairAddress{Private: 4, Public: 5}, Bits: bits, Algorithm: algorithm,
		Check: keyblob.CheckValue(session), IV: []byte{1, 2, 3, 4, 5, 6, 7, 8},
	}
	o.Wrapped, err = keyblob.WrapPair(algorithm, session, o.IV, der)
	require.NoError(t, err)
	o.SessionKey, err = v.encrypt(t.Context(), raw)
	require.NoError(t, err)
	return o
}

func TestImportKey(t *testing.T) {
	eachToken(t, func(t *testing.T, v *virtual) {
		require.NoError(t, SetPIN(t.Context(), v.ch, PINOptions{PIN: coolkey.PIN("1234")}))
		algorithms := []byte{coolkey.AlgorithmDES}
		if v.Stock().SCP == 3 {
			algorithms = []byte{coolkey.AlgorithmAESKWP, coolkey.AlgorithmAESCBC}
		}
		for _, algorithm := range algorithms {
			key, err := rsa.GenerateKey(rand.Reader, 1024)
			require.NoError(t, err)
			o := importing(t, v, algorithm, key)
			require.NoError(t, ImportKey(t.Context(), v.ch, o))
			v.signs(t, 4, &key.PublicKey, v.login(t, "1234"))
			list, err := ListObjects(t.Context(), v)
			require.NoError(t, err)
			require.Empty(t, list, "the object that carried the key is gone")

			o.KeepSource = true
			require.NoError(t, ImportKey(t.Context(), v.ch, o))
			list, err = ListObjects(t.Context(), v)
			require.NoError(t, err)
			require.Len(t, list, 1)
			left, err := ReadObject(t.Context(), v.ch, coolkey.ObjectWrappedKey, int(list[0].Size))
			require.NoError(t, err)
			require.Equal(t, make([]byte, len(left)), left, "and empty where it is kept")
			require.NoError(t, DeleteObject(t.Context(), v.ch, coolkey.ObjectWrappedKey))

			o.Check = []byte{1, 2, 3}
			err = ImportKey(t.Context(), v.ch, o)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, StepImportKey, e.Step)
			require.Equal(t, apdu.SW9C20, e.SW)
		}
	})
}

func TestObjects(t *testing.T) {
	eachToken(t, func(t *testing.T, v *virtual) {
		ctx := t.Context()
		list, err := ListObjects(ctx, v)
		require.NoError(t, err)
		require.Empty(t, list)
		data := make([]byte, 0xD0*3+7)
		_, err = rand.Read(data)
		require.NoError(t, err)
		for i, n := range []int{1, 0xCF, 0xD0, 0xD1, len(data)} {
			id := coolkey.ObjectID(0x64300000 + i)
			acl := coolkey.ObjectACL{Read: coolkey.ACLAnyone, Write: coolkey.ACLRA, Delete: coolkey.ACLRA}
			require.NoError(t, WriteObject(ctx, v.ch, id, acl, data[:n]))
			for _, a := range []Access{v.ch, User{Card: v}} {
				got, err := ReadObject(ctx, a, id, n)
				require.NoError(t, err)
				require.Equal(t, data[:n], got)
			}
			_, err = ReadObject(ctx, v.ch, id, n+1)
			require.ErrorIs(t, err, apdu.SW9C0F)
			err = WriteObject(ctx, User{Card: v}, id, acl, data[:n])
			require.ErrorIs(t, err, apdu.SW9C06, "nobody may write")
			list, err := ListObjects(ctx, v)
			require.NoError(t, err)
			require.Len(t, list, i+1)
			require.Equal(t, coolkey.ObjectInfo{ID: id, Size: uint32(n), ACL: acl}, list[0])
		}
		require.NoError(t, DeleteObject(ctx, v.ch, 0x64300000))
		require.ErrorIs(t, DeleteObject(ctx, v.ch, 0x64300000), apdu.SW9C07)
		for _, n := range []int{0, maxObject + 1} {
			err := WriteObject(ctx, v.ch, 1, coolkey.RAOnly, make([]byte, n))
			require.ErrorIs(t, err, ErrObjectSize)
		}
		_, err = ReadObject(ctx, v.ch, 1, maxObject+1)
		require.ErrorIs(t, err, ErrObjectSize)
	})
}

// aContent describes a key as a certificate authority and a TPS would.
func aContent(t *testing.T, cuid keys.CUID, n int) content.Content {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := content.Content{CUID: cuid, Version: 500, TokenName: "alice"}
	for i := 1; i <= n; i++ {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i)), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1e9, 0),
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		require.NoError(t, err)
		c.Certificates = append(c.Certificates, content.NewCertificate(i, fmt.Sprint("key ", i), der))
		pair, err := content.NewPair(i, content.PairSlots(i), key.Public(), content.SigningPublic,
			content.SigningPrivate)
		require.NoError(t, err)
		c.Keys = append(c.Keys, pair...)
	}
	return c
}

func TestContent(t *testing.T) {
	eachToken(t, func(t *testing.T, v *virtual) {
		ctx := t.Context()
		_, form, err := ReadContent(ctx, v.ch)
		require.NoError(t, err)
		require.Equal(t, NoContent, form)

		c := aContent(t, v.CUID(), 2)
		require.NoError(t, WriteContent(ctx, v.ch, &c, ContentOptions{}))
		require.Equal(t, uint16(500), c.Version, "the first version is the caller's")
		for _, plain := range []bool{true, false} {
			before := c.Version
			require.NoError(t, WriteContent(ctx, v.ch, &c, ContentOptions{Plain: plain}))
			require.Equal(t, before+1, c.Version, "every write has a version of its own")
			for _, a := range []Access{v.ch, User{Card: v}} {
				got, form, err := ReadContent(ctx, a)
				require.NoError(t, err)
				require.Equal(t, CombinedContent, form)
				require.Equal(t, c, got)
			}
		}
		stale := c
		stale.Version = 7
		require.NoError(t, WriteContent(ctx, v.ch, &stale, ContentOptions{}))
		require.Equal(t, c.Version+1, stale.Version, "a caller with an old content changes it too")

		require.NoError(t, WriteContent(ctx, v.ch, &c, ContentOptions{Separate: true}))
		got, form, err := ReadContent(ctx, User{Card: v})
		require.NoError(t, err)
		require.Equal(t, SeparateContent, form, "the combined object is gone")
		require.Equal(t, c.Certificates, got.Certificates)
		require.Equal(t, c.Pairs(), got.Pairs())

		one := aContent(t, v.CUID(), 1)
		require.NoError(t, WriteContent(ctx, v.ch, &one, ContentOptions{Separate: true}))
		got, _, err = ReadContent(ctx, User{Card: v})
		require.NoError(t, err)
		require.Equal(t, one.Certificates, got.Certificates, "what is no longer there is gone")

		require.NoError(t, WriteContent(ctx, v.ch, &c, ContentOptions{}))
		list, err := ListObjects(ctx, v)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, coolkey.ObjectCombined, list[0].ID)
		require.Equal(t, contentACL, list[0].ACL)
	})
}

func TestContentThatDoesNotFit(t *testing.T) {
	v := newVirtual(t, "gp211-scp01", build14, 1500)
	small := aContent(t, v.CUID(), 1)
	require.NoError(t, WriteContent(t.Context(), v.ch, &small, ContentOptions{}))
	large := aContent(t, v.CUID(), 5)
	for _, o := range []ContentOptions{{Plain: true}, {Separate: true}} {
		require.ErrorIs(t, WriteContent(t.Context(), v.ch, &large, o), ErrNoRoom)
	}
	got, _, err := ReadContent(t.Context(), v.ch)
	require.NoError(t, err)
	require.Equal(t, small, got, "nothing was changed")

	// An object that fills all the memory there is.
	exact := newVirtual(t, "gp211-scp01", build14, 5000)
	fits := content.Content{
		TokenName:    "full",
		Certificates: []content.Certificate{content.NewCertificate(1, "", make([]byte, 4925))},
	}
	for n := len(fits.Certificates[0].DER); ; n++ {
		fits.Certificates[0].DER = make([]byte, n)
		_ = DeleteObject(t.Context(), exact.ch, coolkey.ObjectCombined)
		if err := WriteContent(t.Context(), exact.ch, &fits, ContentOptions{Plain: true}); err != nil {
			require.ErrorIs(t, err, ErrNoRoom, "found out before the card does")
			break
		}
	}
	z0, err := fits.Combined(content.Options{Plain: true})
	require.NoError(t, err)
	require.Len(t, z0, 5000-16+1)
}

func TestDamagedContentIsReplaced(t *testing.T) {
	v := newVirtual(t, "gp211-scp02", build14, 5000)
	for _, data := range [][]byte{{1}, make([]byte, 20), bytes.Repeat([]byte{0xFF}, 300)} {
		require.NoError(t, WriteObject(t.Context(), v.ch, coolkey.ObjectCombined,
			coolkey.ObjectACL{Write: coolkey.ACLRA}, data))
		c := aContent(t, v.CUID(), 1)
		require.NoError(t, WriteContent(t.Context(), v.ch, &c, ContentOptions{}))
		got, _, err := ReadContent(t.Context(), v.ch)
		require.NoError(t, err)
		require.Equal(t, c, got)

		require.NoError(t, WriteObject(t.Context(), v.ch, coolkey.ObjectCombined, contentACL, data))
		_, _, err = ReadContent(t.Context(), v.ch)
		require.ErrorIs(t, err, content.ErrForm)
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, StepReadContent, e.Step)
	}
}

func TestClearKeySlots(t *testing.T) {
	eachToken(t, func(t *testing.T, v *virtual) {
		for _, pair := range []coolkey.PairAddress{pair1, {Private: 4, Public: 5}} {
			_, err := GenerateKey(t.Context(), v.ch, GenerateOptions{
				Pair: pair, Bits: 1024, Encrypt: v.encrypt,
			})
			require.NoError(t, err)
		}
		cleared, err := ClearKeySlots(t.Context(), v.ch, nil)
		require.NoError(t, err)
		require.False(t, cleared)
		cleared, err = ClearKeySlots(t.Context(), v.ch, []coolkey.SlotPair{{Private: 2, Public: 3}})
		require.NoError(t, err)
		require.True(t, cleared)
		data, err := expect(t.Context(), v, "", coolkey.ListKeys{}.Command())
		require.NoError(t, err)
		require.Equal(t, byte(2), data[0])
		_, err = expect(t.Context(), v, "", coolkey.ListKeys{Next: true}.Command())
		require.NoError(t, err)
		data, err = expect(t.Context(), v, "", coolkey.ListKeys{Next: true}.Command())
		require.NoError(t, err)
		require.Empty(t, data, "4 and 5 are cleared")
	})
	old := newVirtual(t, "gp211-scp01", 0x54DE790F, 5000)
	cleared, err := ClearKeySlots(t.Context(), old.ch, []coolkey.SlotPair{{Private: 2, Public: 3}})
	require.NoError(t, err, "an applet that does not know the command")
	require.False(t, cleared)
	require.NoError(t, SetLifeCycle(t.Context(), old.ch, gp.AppPersonalized), "the channel lives on")
}
