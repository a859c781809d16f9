package keyblob

import (
	"bytes"

	"tokenwright/simcard/pubkey"
	"tokenwright/tms/gp/apdu"
)

// rsaEncryption is the object identifier 1.2.840.113549.1.1.1 with tag and length (RFC 8017 §A.1).
var rsaEncryption = []byte{0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01}

// walker goes through DER as the applet does: it enters and passes elements without a look at their
// tags. The first error stays.
type walker struct {
	rest []byte
	err  error
}

// header takes tag and length off. The tag byte 00, a length of more than two bytes, and an end in
// the middle are 9CD0.
func (w *walker) header() (size int) {
	if w.err != nil {
		return 0
	}
	w.err = apdu.SW9CD0
	b := w.rest
	if len(b) < 2 || b[0] == 0 {
		return 0
	}
	size, b = int(b[1]), b[2:]
	if size >= 0x80 {
		n := size & 0x7F
		if n > 2 || len(b) < n {
			return 0
		}
		size = 0
		for _, c := range b[:n] {
			size = size<<8 | int(c)
		}
		b = b[n:]
	}
	w.rest, w.err = b, nil
	return size
}

// value takes a whole element off and gives its content.
func (w *walker) value() []byte {
	size := w.header()
	if w.err != nil {
		return nil
	}
	if size > len(w.rest) {
		w.err = apdu.SW9CD0
		return nil
	}
	v := w.rest[:size]
	w.rest = w.rest[size:]
	return v
}

// integer takes an INTEGER off and gives it without leading zeros; 9CD0 if nothing is left.
func (w *walker) integer() []byte {
	v := bytes.TrimLeft(w.value(), "\x00")
	if w.err == nil && len(v) == 0 {
		w.err = apdu.SW9CD0
	}
	return v
}

// algorithm takes the AlgorithmIdentifier off: 9C21 unless it starts with rsaEncryption.
func (w *walker) algorithm() {
	v := w.value()
	if w.err == nil && !bytes.HasPrefix(v, rsaEncryption) {
		w.err = apdu.SW9C21
	}
}

// PKCS8 reads the RSA numbers of a PrivateKeyInfo (RFC 5208 §5, RFC 8017 §A.1.2). The private
// exponent is passed over; bytes behind the numbers do not matter.
func PKCS8(der []byte) (pubkey.RSANumbers, error) {
	w := &walker{rest: der}
	w.header() // PrivateKeyInfo
	w.value()  // version
	w.algorithm()
	w.header() // OCTET STRING
	w.header() // RSAPrivateKey
	w.value()  // version
	var n pubkey.RSANumbers
	n.Modulus = w.integer()
	n.Exponent = w.integer()
	w.value() // d
	n.P = w.integer()
	n.Q = w.integer()
	n.DP = w.integer()
	n.DQ = w.integer()
	n.QInv = w.integer()
	if w.err != nil {
		return pubkey.RSANumbers{}, w.err
	}
	return n, nil
}
