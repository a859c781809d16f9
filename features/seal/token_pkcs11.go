//go:build pkcs11 && cgo

package seal

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"

	"github.com/miekg/pkcs11"
)

// tokenKey is a private key on a token. Signing is for one goroutine at a time.
type tokenKey struct {
	ctx     *pkcs11.Ctx
	session pkcs11.SessionHandle
	handle  pkcs11.ObjectHandle
	public  crypto.PublicKey
}

func openToken(u keyURI) (crypto.Signer, func() error, error) {
	pin, err := u.pin()
	if err != nil {
		return nil, nil, err
	}
	k := &tokenKey{ctx: pkcs11.New(u.module)}
	if k.ctx == nil {
		return nil, nil, fmt.Errorf("%s is not a PKCS#11 module", u.module)
	}
	if err := k.ctx.Initialize(); err != nil {
		k.ctx.Destroy()
		return nil, nil, fmt.Errorf("%s: %w", u.module, err)
	}
	if err := k.open(u, pin); err != nil {
		_ = k.close()
		return nil, nil, fmt.Errorf("%s: %w", u.module, err)
	}
	return k, k.close, nil
}

func (k *tokenKey) close() error {
	err := k.ctx.Finalize()
	k.ctx.Destroy()
	return err
}

func (k *tokenKey) open(u keyURI, pin string) error {
	slot, err := k.slot(u.token)
	if err != nil {
		return err
	}
	if k.session, err = k.ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION); err != nil {
		return err
	}
	if pin != "" {
		if err := k.ctx.Login(k.session, pkcs11.CKU_USER, pin); err != nil {
			return fmt.Errorf("login: %w", err)
		}
	}
	if k.handle, err = k.find(u, pkcs11.CKO_PRIVATE_KEY); err != nil {
		return fmt.Errorf("private key: %w", err)
	}
	public, err := k.find(u, pkcs11.CKO_PUBLIC_KEY)
	if err != nil {
		return fmt.Errorf("public key: %w", err)
	}
	k.public, err = k.publicKey(public)
	return err
}

// slot finds the token of that label, or the only one.
func (k *tokenKey) slot(label string) (uint, error) {
	slots, err := k.ctx.GetSlotList(true)
	if err != nil {
		return 0, err
	}
	var found []uint
	for _, s := range slots {
		info, err := k.ctx.GetTokenInfo(s)
		if err != nil || info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 {
			continue
		}
		if label == "" || strings.TrimRight(info.Label, " \x00") == label {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%d tokens fit the URI, want one", len(found))
	}
	return found[0], nil
}

func (k *tokenKey) find(u keyURI, class uint) (pkcs11.ObjectHandle, error) {
	query := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class)}
	if u.object != "" {
		query = append(query, pkcs11.NewAttribute(pkcs11.CKA_LABEL, u.object))
	}
	if len(u.id) > 0 {
		query = append(query, pkcs11.NewAttribute(pkcs11.CKA_ID, u.id))
	}
	if err := k.ctx.FindObjectsInit(k.session, query); err != nil {
		return 0, err
	}
	found, _, err := k.ctx.FindObjects(k.session, 2)
	if err := errors.Join(err, k.ctx.FindObjectsFinal(k.session)); err != nil {
		return 0, err
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%d objects fit the URI, want one", len(found))
	}
	return found[0], nil
}

func (k *tokenKey) publicKey(h pkcs11.ObjectHandle) (crypto.PublicKey, error) {
	get := func(codes ...uint) ([]*pkcs11.Attribute, error) {
		var want []*pkcs11.Attribute
		for _, c := range codes {
			want = append(want, pkcs11.NewAttribute(c, nil))
		}
		return k.ctx.GetAttributeValue(k.session, h, want)
	}
	if a, err := get(pkcs11.CKA_EC_PARAMS, pkcs11.CKA_EC_POINT); err == nil {
		return curveKey(a[0].Value, a[1].Value)
	}
	a, err := get(pkcs11.CKA_MODULUS, pkcs11.CKA_PUBLIC_EXPONENT)
	if err != nil {
		return nil, errors.New("the public key is neither RSA nor on a curve")
	}
	n, e := new(big.Int).SetBytes(a[0].Value), new(big.Int).SetBytes(a[1].Value)
	if n.BitLen() < leastRSA || !e.IsInt64() || e.Int64() > 1<<31-1 {
		return nil, fmt.Errorf("RSA key of %d bits, at least %d", n.BitLen(), leastRSA)
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// curveKey puts a key together from its parameters and its point, an OCTET STRING, and lets the
// standard library judge it.
func curveKey(params, point []byte) (crypto.PublicKey, error) {
	var raw []byte
	if rest, err := asn1.Unmarshal(point, &raw); err != nil || len(rest) > 0 {
		return nil, errors.New("the public key's point is no OCTET STRING")
	}
	der, err := asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{
		pkix.AlgorithmIdentifier{
			Algorithm:  asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1},
			Parameters: asn1.RawValue{FullBytes: params},
		},
		asn1.BitString{Bytes: raw, BitLength: 8 * len(raw)},
	})
	if err != nil {
		return nil, err
	}
	return x509.ParsePKIXPublicKey(der)
}

// Public implements crypto.Signer.
func (k *tokenKey) Public() crypto.PublicKey { return k.public }

// sha256Info begins the DigestInfo of a SHA-256 digest (RFC 8017 §9.2, note 1).
var sha256Info = []byte{
	0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
	0x04, 0x20,
}

// Sign implements crypto.Signer for SHA-256 digests.
func (k *tokenKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != crypto.SHA256 || len(digest) != crypto.SHA256.Size() {
		return nil, errors.New("keys on tokens sign SHA-256 digests")
	}
	if pub, ok := k.public.(*ecdsa.PublicKey); ok {
		raw, err := k.sign(pkcs11.CKM_ECDSA, digest)
		if err != nil {
			return nil, err
		}
		return joinSignature(pub.Curve, raw)
	}
	return k.sign(pkcs11.CKM_RSA_PKCS, append(append([]byte{}, sha256Info...), digest...))
}

func (k *tokenKey) sign(mechanism uint, data []byte) ([]byte, error) {
	how := []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}
	if err := k.ctx.SignInit(k.session, how, k.handle); err != nil {
		return nil, err
	}
	return k.ctx.Sign(k.session, data)
}

// joinSignature turns r and s, side by side, into the ASN.1 form.
func joinSignature(curve elliptic.Curve, raw []byte) ([]byte, error) {
	n := (curve.Params().N.BitLen() + 7) / 8
	if len(raw) != 2*n {
		return nil, fmt.Errorf("the token's signature has %d bytes, want %d", len(raw), 2*n)
	}
	return asn1.Marshal(struct{ R, S *big.Int }{
		new(big.Int).SetBytes(raw[:n]), new(big.Int).SetBytes(raw[n:]),
	})
}
