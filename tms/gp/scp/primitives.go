package scp

import (
	"encoding/binary"

	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
)

const (
	maxShort = 255
	maxNe    = 256
	macLen   = 8

	insExternalAuthenticate = 0x82
	insBeginRMAC            = 0x7A
	insEndRMAC              = 0x78
)

// plainCLA removes the logical channel and the secure messaging indication from a class byte, as
// MACs see it (GPCS 2.3.1 §E.4.4, §E.4.5). Channels 4 to 19 have bit 7 set (Table 11-12).
func plainCLA(cla byte) byte {
	if cla&0x40 != 0 {
		return cla & 0x90
	}
	return cla & 0xF0
}

// appendMACInput appends what a C-MAC covers of a command: five bytes of header, then data.
func appendMACInput(dst []byte, v Variant, cmd apdu.Command, data []byte) []byte {
	cla, lc := plainCLA(cmd.CLA), len(data)
	if !v.unmodifiedMAC() {
		cla |= 0x04
		lc += macLen
	}
	dst = append(dst, cla, cmd.INS, cmd.P1, cmd.P2, byte(lc))
	return append(dst, data...)
}

// stripped gives the command as SCP02's R-MAC covers it: plain header, Lc always there, plain
// data (GPCS 2.3.1 §E.4.5).
func stripped(cmd apdu.Command) []byte {
	b := make([]byte, 0, 5+len(cmd.Data))
	b = append(b, plainCLA(cmd.CLA), cmd.INS, cmd.P1, cmd.P2, byte(len(cmd.Data)))
	return append(b, cmd.Data...)
}

// desCMAC is the C-MAC of SCP01, full triple DES, or of SCP02, single DES with a final triple DES
// (GPCS 2.1.1 §D.3.3, GPCS 2.3.1 §E.4.4).
func desCMAC(v Variant, smac keys.Key, icv [8]byte, msg []byte) ([8]byte, error) {
	if v.SCP == 1 {
		return smac.FullMAC(icv, msg)
	}
	return smac.RetailMAC(icv, msg)
}

// encryptICV gives the ICV for the next C-MAC when i asks for ICV encryption: triple DES in SCP01,
// single DES in SCP02 (GPCS 2.1.1 §D.1.5, GPCS 2.3.1 §E.3.4).
func encryptICV(v Variant, smac keys.Key, mac [8]byte) ([8]byte, error) {
	if !v.icvEncryption() {
		return mac, nil
	}
	if v.SCP == 2 {
		return smac.EncryptSingleDES(mac)
	}
	b, err := smac.EncryptECB(mac[:])
	if err != nil {
		return [8]byte{}, err
	}
	return [8]byte(b), nil
}

// pad80 appends 80 and as many 00 as fill the last block of n bytes (GPCS 2.3.1 §B.1.3).
func pad80(b []byte, n int) []byte {
	out := make([]byte, len(b)+n-len(b)%n)
	copy(out, b)
	out[len(b)] = 0x80
	return out
}

// unpad80 removes what pad80 added. More than one block of padding is refused.
func unpad80(b []byte, n int) ([]byte, bool) {
	for i := len(b) - 1; i >= 0 && i >= len(b)-n; i-- {
		switch b[i] {
		case 0x00:
		case 0x80:
			return b[:i], true
		default:
			return nil, false
		}
	}
	return nil, false
}

// counterICV gives SCP03's ICV from the encryption counter; a response's counter block has its
// first byte set to 80 (AMD-D §6.2.6, §6.2.7).
func counterICV(senc keys.Key, counter uint64, response bool) ([]byte, error) {
	var block [16]byte
	binary.BigEndian.PutUint64(block[8:], counter)
	if response {
		block[0] = 0x80
	}
	return senc.EncryptECB(block[:])
}

// rmac02 is SCP02's R-MAC over the stripped command and what the response says
// (GPCS 2.3.1 §E.4.5). Data of an error response is not covered.
func rmac02(srmac keys.Key, icv [8]byte, cmd, data []byte, sw apdu.SW) ([8]byte, error) {
	msg := make([]byte, 0, len(cmd)+len(data)+3)
	msg = append(msg, cmd...)
	if !succeeded(sw) {
		data = nil
	}
	msg = append(msg, byte(len(data)))
	msg = append(msg, data...)
	msg = binary.BigEndian.AppendUint16(msg, uint16(sw))
	return srmac.RetailMAC(icv, msg)
}

// rmac03 is SCP03's R-MAC over the MAC chaining value and the response as sent (AMD-D §6.2.5).
func rmac03(srmac keys.Key, chain [16]byte, data []byte, sw apdu.SW) ([]byte, error) {
	msg := make([]byte, 0, len(chain)+len(data)+2)
	msg = append(msg, chain[:]...)
	msg = append(msg, data...)
	msg = binary.BigEndian.AppendUint16(msg, uint16(sw))
	m, err := srmac.CMAC(msg)
	if err != nil {
		return nil, err
	}
	return m[:macLen], nil
}

// succeeded tells a success or warning from an error (AMD-D §6.2.5, GPCS 2.3.1 §E.4.5).
func succeeded(sw apdu.SW) bool { return sw.OK() || sw.Warning() }
