package coolkey

import (
	"encoding/binary"

	"tokenwright/simcard/pubkey"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

// computeEC signs a digest or derives a secret, in one step, with a private key on a curve. Clients
// disagree which instruction does which: for libckyapplet 37 signs and 38 derives, for OpenSC the
// other way round. The payload decides what is done, an uncompressed point of the key's curve being
// the other side's public key and all else a digest, and the pair of both tells who asks. libckyapplet
// reads a length and then the secret, or the signature in DER; OpenSC reads the bare secret, or r and
// s, each as long as the field.
func (a *instance) computeEC(cmd apdu.Command, lc int, data []byte) ([]byte, error) {
	n := cmd.P1
	switch {
	case !a.keys.Has(n):
		return nil, apdu.SW9C10
	case !a.keys.Slots[n].ACL.Use.Grants(a.who):
		return nil, apdu.SW9C06
	case lang.CryptOp(cmd.P2) != lang.CryptOneStep:
		return nil, apdu.SW9C11
	case lc < 1:
		return nil, apdu.SW6700
	}
	location := data[0]
	size, input, err := a.payload(location, data[1:])
	if err != nil {
		return nil, err
	}
	if size <= 0 {
		return nil, apdu.SW9C19
	}
	key, ok := a.keys.EC(n)
	if !ok {
		if a.keys.IsReady(n) {
			return nil, apdu.SW9C17
		}
		return nil, apdu.SW6F00
	}
	out, err := operate(cmd.INS, key, input, 2*((int(a.keys.Slots[n].Bits)+7)/8)+1)
	if err != nil || location == lang.LocationAPDU {
		return out, err
	}
	a.st.IOSize = int16(copy(a.io, out))
	return nil, nil
}

// operate does what instruction and payload ask for; pointLen is the length of a point in bytes.
func operate(ins byte, key *pubkey.EC, input []byte, pointLen int) ([]byte, error) {
	const uncompressed = 0x04
	if len(input) == pointLen && input[0] == uncompressed {
		secret, err := key.Agree(input)
		if err != nil {
			return nil, apdu.SW9C0F
		}
		if ins == insCompute38 {
			return withLength(secret), nil
		}
		return secret, nil
	}
	if len(input) > pubkey.MaxDigest {
		return nil, apdu.SW9C19
	}
	if ins == insCompute37 {
		der, err := key.Sign(input)
		return withLength(der), err
	}
	return key.SignRaw(input)
}

func withLength(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}
