package kdf

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"tokenwright/tms/gp/keys"
)

// Method is a way from a master key to a card's static keys.
type Method uint8

// The methods. The zero value is none of them, so that a forgotten choice is an error.
const (
	EMV   Method = iota + 1 // EMV CPS 1.1 layout, 3DES.
	VISA2                   // VISA2 layout, 3DES.
	NIST                    // NIST SP 800-108 counter mode, HMAC-SHA256.
	GPKMC                   // GlobalPlatform key management, AES-CMAC counter mode.
	KDF3                    // AES-CMAC counter mode over the bare diversification data.
	None                    // The master key itself.
)

var methodNames = map[Method]string{
	EMV: "emv", VISA2: "visa2", NIST: "nist", GPKMC: "gpkmc", KDF3: "kdf3", None: "none",
}

// String gives the name that ParseMethod reads.
func (m Method) String() string {
	if s, ok := methodNames[m]; ok {
		return s
	}
	return fmt.Sprintf("method(%d)", uint8(m))
}

// ParseMethod reads emv, visa2, nist, gpkmc, kdf3 or none in any case.
func ParseMethod(s string) (Method, error) {
	for m, name := range methodNames {
		if strings.EqualFold(name, strings.TrimSpace(s)) {
			return m, nil
		}
	}
	return 0, fmt.Errorf("%w %q", ErrMethod, s)
}

// Input is what makes one card's keys differ from another's.
type Input struct {
	KDD     keys.KDD  // From INITIALIZE UPDATE.
	CUID    keys.CUID // From CPLC.
	UseCUID bool      // Diversify by CUID instead of KDD.

	// Out is the algorithm of the card keys; 0 means DES3 for EMV, VISA2 and NIST, and the
	// master's for the others. EMV and VISA2 with AES give the 3DES result as AES-128 key.
	Out keys.Algorithm
	// OutLen is the length in bytes of an AES card key by GPKMC and KDF3; 0 means the master's.
	OutLen int
}

func (in Input) data() [10]byte {
	if in.UseCUID {
		return in.CUID
	}
	return in.KDD
}

// purpose is the constant that tells a card's keys apart: 01 ENC, 02 MAC, 03 DEK.
type purpose byte

const (
	purposeENC purpose = 1 + iota
	purposeMAC
	purposeDEK
)

// Diversify derives a card's keys from one master key. The derived keys are keys.Key values,
// except by None, where they are the master itself.
func Diversify(m Method, master Secret, in Input) (CardKeys, error) {
	return DiversifyEach(m, OneKey(master), in)
}

// DiversifyEach derives each of a card's keys from the master of the same purpose, as a
// developer set with three different masters needs.
func DiversifyEach(m Method, masters CardKeys, in Input) (CardKeys, error) {
	var out CardKeys
	for _, k := range []struct {
		name   string
		p      purpose
		master Secret
		dst    *Secret
	}{
		{"ENC", purposeENC, masters.ENC, &out.ENC},
		{"MAC", purposeMAC, masters.MAC, &out.MAC},
		{"DEK", purposeDEK, masters.DEK, &out.DEK},
	} {
		s, err := derive(m, k.master, k.p, in)
		if err != nil {
			return CardKeys{}, fmt.Errorf("diversifying %s by %v: %w", k.name, m, err)
		}
		*k.dst = s
	}
	return out, nil
}

// DiversifySet is DiversifyEach for keys whose bytes are at hand, and keeps the key version: how
// a card's factory set is made from a vendor's masters. Card keys are of the masters' algorithm.
func DiversifySet(m Method, masters keys.KeySet, kdd keys.KDD) (keys.KeySet, error) {
	return DiversifySetInput(m, masters, Input{KDD: kdd})
}

// DiversifySetInput is DiversifySet with every choice of Input.
func DiversifySetInput(m Method, masters keys.KeySet, in Input) (keys.KeySet, error) {
	ck, err := DiversifyEach(m, FromKeySet(masters), in)
	if err != nil {
		return keys.KeySet{}, err
	}
	out := keys.KeySet{KVN: masters.KVN}
	for _, k := range []struct {
		src Secret
		dst *keys.Key
	}{{ck.ENC, &out.ENC}, {ck.MAC, &out.MAC}, {ck.DEK, &out.DEK}} {
		key, ok := k.src.(keys.Key)
		if !ok {
			return keys.KeySet{}, fmt.Errorf("diversifying a key set: %w", ErrNoKey)
		}
		*k.dst = key
	}
	return out, nil
}

func derive(m Method, master Secret, p purpose, in Input) (Secret, error) {
	if master == nil || master.Len() == 0 {
		return nil, ErrNoKey
	}
	switch m {
	case EMV, VISA2:
		return deriveDES(m, master, p, in)
	case NIST:
		return deriveNIST(master, p, in)
	case GPKMC, KDF3:
		return deriveCMAC(m, master, p, in)
	case None:
		if in.Out != 0 && in.Out != master.Algorithm() {
			return nil, fmt.Errorf("%v master as %v card key: %w",
				master.Algorithm(), in.Out, ErrAlgorithm)
		}
		return master, nil
	}
	return nil, fmt.Errorf("%w %d", ErrMethod, uint8(m))
}

// deriveDES encrypts six bytes of the card's data, twice, each marked with the purpose: bytes
// 4..9 by EMV (EMV CPS 1.1), bytes 0, 1 and 4..7 by VISA2.
func deriveDES(m Method, master Secret, p purpose, in Input) (Secret, error) {
	if err := need("master", master, keys.DES3); err != nil {
		return nil, err
	}
	d := in.data()
	six := d[4:10]
	if m == VISA2 {
		six = []byte{d[0], d[1], d[4], d[5], d[6], d[7]}
	}
	block := slices.Concat(six, []byte{0xF0, byte(p)}, six, []byte{0x0F, byte(p)})
	b, err := master.EncryptECB(block)
	if err != nil {
		return nil, err
	}
	return cardKey(m, in.Out, b)
}

// deriveNIST cuts the purpose's 16 bytes out of HMAC(1 ‖ ...) ‖ HMAC(2 ‖ ...), where the label
// is 04, the context the card's data and the length 384 bits (NIST SP 800-108 §5.1).
func deriveNIST(master Secret, p purpose, in Input) (Secret, error) {
	const keyLen, label, lengthBits = 16, 0x04, 3 * 16 * 8
	d := in.data()
	fixed := slices.Concat([]byte{label, 0x00}, d[:])
	fixed = binary.BigEndian.AppendUint16(fixed, lengthBits)
	stream, err := counterMode(master.HMACSHA256, nil, fixed, 3*keyLen)
	if err != nil {
		return nil, err
	}
	defer clear(stream)
	at := int(p-purposeENC) * keyLen
	return cardKey(NIST, in.Out, stream[at:at+keyLen])
}

// deriveCMAC concatenates CMAC(i ‖ 00 00 00 ‖ purpose ‖ 00 ‖ context) for i from 1 up to the key
// length. The context is the card's 10 bytes by KDF3; by GPKMC it is 00 00, bytes 6..9, bytes
// 4..5 and the key length in bits.
func deriveCMAC(m Method, master Secret, p purpose, in Input) (Secret, error) {
	if err := need("master", master, keys.AES); err != nil {
		return nil, err
	}
	n := in.OutLen
	if n == 0 {
		n = master.Len()
	}
	if n != 16 && n != 24 && n != 32 {
		return nil, fmt.Errorf("aes card key of %d bytes: %w", n, ErrLength)
	}
	if in.Out != 0 && in.Out != keys.AES {
		return nil, fmt.Errorf("%v card key: %w", in.Out, ErrAlgorithm)
	}
	d := in.data()
	context := d[:]
	if m == GPKMC {
		context = slices.Concat([]byte{0, 0}, d[6:10], d[4:6])
		context = binary.BigEndian.AppendUint16(context, uint16(8*n))
	}
	after := slices.Concat([]byte{0, 0, 0, byte(p), 0}, context)
	stream, err := counterMode(master.CMAC, nil, after, n)
	if err != nil {
		return nil, err
	}
	defer clear(stream)
	return cardKey(m, keys.AES, stream[:n])
}

// setsParity is the parity policy of the package comment.
func setsParity(m Method, out keys.Algorithm) bool { return m == NIST && out == keys.DES3 }

// cardKey makes the derived key and wipes b.
func cardKey(m Method, out keys.Algorithm, b []byte) (Secret, error) {
	defer clear(b)
	if out == 0 {
		out = keys.DES3
	}
	if setsParity(m, out) {
		for i, v := range b {
			b[i] = v&0xFE | byte(bits.OnesCount8(v>>1)+1)&1
		}
	}
	k, err := keys.New(out, b)
	if err != nil {
		return nil, err
	}
	return k, nil
}
