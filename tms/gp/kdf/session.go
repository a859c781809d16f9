package kdf

import (
	"encoding/binary"
	"fmt"
	"slices"

	"tokenwright/tms/gp/keys"
)

// Derivation constants of SCP02 session keys (GPCS 2.3.1 §E.4.1).
const (
	scp02CMAC uint16 = 0x0101
	scp02RMAC uint16 = 0x0102
	scp02DEK  uint16 = 0x0181
	scp02ENC  uint16 = 0x0182
)

// Derivation constants of SCP03 (AMD-D §4.1.5, Table 4-1).
const (
	scp03CardCryptogram byte = 0x00
	scp03HostCryptogram byte = 0x01
	scp03CardChallenge  byte = 0x02
	scp03SENC           byte = 0x04
	scp03SMAC           byte = 0x06
	scp03SRMAC          byte = 0x07
)

// SessionSCP01 derives S-ENC and S-MAC from the challenges (GPCS 2.1.1 §D.3.1). SRMAC and SDEK
// stay absent: SCP01 has no R-MAC and uses the static DEK.
func SessionSCP01(ck CardKeys, host, card [8]byte) (keys.SessionKeys, error) {
	data := slices.Concat(card[4:], host[:4], card[:4], host[4:])
	var out keys.SessionKeys
	for _, k := range []struct {
		name string
		src  Secret
		dst  *keys.Key
	}{{"ENC", ck.ENC, &out.SENC}, {"MAC", ck.MAC, &out.SMAC}} {
		if err := need(k.name, k.src, keys.DES3); err != nil {
			return keys.SessionKeys{}, fmt.Errorf("scp01 session keys: %w", err)
		}
		b, err := k.src.EncryptECB(data)
		if err == nil {
			*k.dst, err = newSession(keys.DES3, b)
		}
		if err != nil {
			return keys.SessionKeys{}, fmt.Errorf("scp01 session keys: %s: %w", k.name, err)
		}
	}
	return out, nil
}

// SessionSCP02 derives all four session keys from the sequence counter, big-endian
// (GPCS 2.3.1 §E.4.1). For a variant with one base key pass OneKey.
func SessionSCP02(ck CardKeys, seq [2]byte) (keys.SessionKeys, error) {
	var out keys.SessionKeys
	for _, k := range []struct {
		name     string
		src      Secret
		constant uint16
		dst      *keys.Key
	}{
		{"ENC", ck.ENC, scp02ENC, &out.SENC},
		{"MAC", ck.MAC, scp02CMAC, &out.SMAC},
		{"MAC", ck.MAC, scp02RMAC, &out.SRMAC},
		{"DEK", ck.DEK, scp02DEK, &out.SDEK},
	} {
		if err := need(k.name, k.src, keys.DES3); err != nil {
			return keys.SessionKeys{}, fmt.Errorf("scp02 session keys: %w", err)
		}
		var data [16]byte
		binary.BigEndian.PutUint16(data[:], k.constant)
		copy(data[2:], seq[:])
		b, err := k.src.EncryptCBC(nil, data[:])
		if err == nil {
			*k.dst, err = newSession(keys.DES3, b)
		}
		if err != nil {
			return keys.SessionKeys{}, fmt.Errorf("scp02 session keys: %04X: %w", k.constant, err)
		}
	}
	return out, nil
}

// SessionSCP03 derives S-ENC, S-MAC and S-RMAC, each as long as its static key, from the
// challenges (AMD-D §6.2.1). SDEK stays absent: SCP03 uses the static DEK.
func SessionSCP03(ck CardKeys, host, card [8]byte) (keys.SessionKeys, error) {
	context := slices.Concat(host[:], card[:])
	var out keys.SessionKeys
	for _, k := range []struct {
		name     string
		src      Secret
		constant byte
		dst      *keys.Key
	}{
		{"ENC", ck.ENC, scp03SENC, &out.SENC},
		{"MAC", ck.MAC, scp03SMAC, &out.SMAC},
		{"MAC", ck.MAC, scp03SRMAC, &out.SRMAC},
	} {
		if err := need(k.name, k.src, keys.AES); err != nil {
			return keys.SessionKeys{}, fmt.Errorf("scp03 session keys: %w", err)
		}
		b, err := dataDerivation(k.src, k.constant, 8*k.src.Len(), context)
		if err == nil {
			*k.dst, err = newSession(keys.AES, b)
		}
		if err != nil {
			return keys.SessionKeys{}, fmt.Errorf("scp03 session keys: %02X: %w", k.constant, err)
		}
	}
	return out, nil
}

// dataDerivation is the counter-mode KDF of AMD-D §4.1.5 (NIST SP 800-108 §5.1 with AES-CMAC):
// 11 bytes 00, the constant, 00, the length in bits, a counter from 1, the context.
func dataDerivation(s Secret, constant byte, lengthBits int, context []byte) ([]byte, error) {
	before := make([]byte, 15)
	before[11] = constant
	binary.BigEndian.PutUint16(before[13:], uint16(lengthBits))
	return counterMode(s.CMAC, before, context, lengthBits/8)
}

// counterMode concatenates prf(before ‖ i ‖ after) for a one-byte i from 1 up to n bytes
// (NIST SP 800-108 §5.1). n is at most 255 outputs of prf.
func counterMode(prf func([]byte) ([]byte, error), before, after []byte, n int) ([]byte, error) {
	msg := slices.Concat(before, []byte{0}, after)
	out := make([]byte, 0, n+32)
	for len(out) < n {
		msg[len(before)]++
		b, err := prf(msg)
		if err != nil {
			return nil, err
		}
		out = append(out, b...)
	}
	return out[:n], nil
}

func newSession(alg keys.Algorithm, b []byte) (keys.Key, error) {
	defer clear(b)
	return keys.New(alg, b)
}
