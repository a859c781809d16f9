// Package ocsp answers questions about the state of certificates. // RFC 6960, RFC 5019, RFC 9654
//
// It owns the encoding of questions and answers, answers that are signed before they are asked for
// and kept fresh, and their form over HTTP. It must not know where the state of a certificate is
// kept: a Source is asked.
package ocsp

import (
	"crypto"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds of a question.
const (
	MaxRequest = 4 << 10 // bytes
	maxCerts   = 16      // certificates asked about at once
	maxNonce   = 128     // bytes // RFC 9654 §2.1
)

// ErrMalformed is wrapped by every error about a question.
var ErrMalformed = errors.New("malformed ocsp request")

var (
	oidNonce = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
	oidBasic = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
)

// hashes are the hash algorithms of certificate ids.
var hashes = []struct {
	hash crypto.Hash
	oid  asn1.ObjectIdentifier
}{
	{crypto.SHA1, asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}},
	{crypto.SHA256, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}},
	{crypto.SHA384, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}},
	{crypto.SHA512, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}},
}

// CertID names a certificate by its issuer and serial number. // RFC 6960 §4.1.1
type CertID struct {
	Hash       crypto.Hash // 0: none that is known
	NameHash   []byte
	KeyHash    []byte
	Serial     *big.Int
	raw        []byte // as it was asked, to be answered the same
	serialText string // its DER, to find answers by
}

// Request is a question.
type Request struct {
	Certs []CertID // 1 to maxCerts
	Nonce []byte   // nil when there is none; else the DER of the extension's value
}

// ParseRequest reads a question. A signature on it does not count and is passed over.
func ParseRequest(raw []byte) (Request, error) {
	if len(raw) > MaxRequest {
		return Request{}, fmt.Errorf("%w: more than %d bytes", ErrMalformed, MaxRequest)
	}
	in := cryptobyte.String(raw)
	var outer, tbs, list cryptobyte.String
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !in.Empty() ||
		!outer.ReadASN1(&tbs, cbasn1.SEQUENCE) ||
		!outer.SkipOptionalASN1(explicit(0)) || !outer.Empty() {
		return Request{}, fmt.Errorf("%w: no sequence", ErrMalformed)
	}
	var exts cryptobyte.String
	var hasExts bool
	if !tbs.SkipOptionalASN1(explicit(0)) || !tbs.SkipOptionalASN1(explicit(1)) ||
		!tbs.ReadASN1(&list, cbasn1.SEQUENCE) ||
		!tbs.ReadOptionalASN1(&exts, &hasExts, explicit(2)) || !tbs.Empty() {
		return Request{}, fmt.Errorf("%w: no request list", ErrMalformed)
	}
	var r Request
	for !list.Empty() {
		id, err := parseCertID(&list)
		if err != nil {
			return Request{}, err
		}
		if r.Certs = append(r.Certs, id); len(r.Certs) > maxCerts {
			return Request{}, fmt.Errorf("%w: more than %d certificates", ErrMalformed, maxCerts)
		}
	}
	if len(r.Certs) == 0 {
		return Request{}, fmt.Errorf("%w: asks about nothing", ErrMalformed)
	}
	if hasExts {
		nonce, err := parseNonce(exts)
		if err != nil {
			return Request{}, err
		}
		r.Nonce = nonce
	}
	return r, nil
}

func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

// parseCertID reads one Request.
func parseCertID(list *cryptobyte.String) (id CertID, err error) {
	var one, raw, body, alg cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !list.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1Element(&raw, cbasn1.SEQUENCE) ||
		!one.SkipOptionalASN1(explicit(0)) || !one.Empty() {
		return id, fmt.Errorf("%w: no certificate id", ErrMalformed)
	}
	id.raw = raw
	in := raw
	var number cryptobyte.String
	id.Serial = new(big.Int)
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1(&alg, cbasn1.SEQUENCE) ||
		!alg.ReadASN1ObjectIdentifier(&oid) ||
		!body.ReadASN1Bytes(&id.NameHash, cbasn1.OCTET_STRING) ||
		!body.ReadASN1Bytes(&id.KeyHash, cbasn1.OCTET_STRING) ||
		!body.ReadASN1Element(&number, cbasn1.INTEGER) || !body.Empty() || len(number) > 64 {
		return id, fmt.Errorf("%w: certificate id", ErrMalformed)
	}
	id.serialText = string(number)
	if !number.ReadASN1Integer(id.Serial) {
		return id, fmt.Errorf("%w: serial number", ErrMalformed)
	}
	for _, h := range hashes {
		if h.oid.Equal(oid) {
			id.Hash = h.hash
		}
	}
	return id, nil
}

// parseNonce finds the nonce among the extensions of a request.
func parseNonce(exts cryptobyte.String) ([]byte, error) {
	var list cryptobyte.String
	if !exts.ReadASN1(&list, cbasn1.SEQUENCE) || !exts.Empty() {
		return nil, fmt.Errorf("%w: extensions", ErrMalformed)
	}
	var nonce []byte
	for !list.Empty() {
		var ext, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !list.ReadASN1(&ext, cbasn1.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&oid) ||
			!ext.SkipOptionalASN1(cbasn1.BOOLEAN) || !ext.ReadASN1(&value, cbasn1.OCTET_STRING) ||
			!ext.Empty() {
			return nil, fmt.Errorf("%w: extension", ErrMalformed)
		}
		if !oid.Equal(oidNonce) {
			continue
		}
		if nonce != nil || len(value) == 0 || len(value) > maxNonce+3 {
			return nil, fmt.Errorf("%w: nonce has %d bytes or occurs twice", ErrMalformed, len(value))
		}
		nonce = value
	}
	return nonce, nil
}
