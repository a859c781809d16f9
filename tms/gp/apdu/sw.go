package apdu

import "fmt"

// SW is a status word. As an error it reads "6982 security status not satisfied"; it compares by
// value, so errors.Is(err, SW6982) finds it in a chain.
type SW uint16

// Status words of ISO/IEC 7816-4 §5.6 and GPCS 2.3.1 §11.1.3.
const (
	SW9000 SW = 0x9000

	SW6200 SW = 0x6200
	SW6281 SW = 0x6281
	SW6282 SW = 0x6282
	SW6283 SW = 0x6283
	SW6285 SW = 0x6285
	SW6300 SW = 0x6300
	SW6310 SW = 0x6310
	SW6400 SW = 0x6400
	SW6438 SW = 0x6438
	SW6581 SW = 0x6581
	SW6600 SW = 0x6600
	SW6700 SW = 0x6700
	SW6800 SW = 0x6800
	SW6881 SW = 0x6881
	SW6882 SW = 0x6882
	SW6883 SW = 0x6883
	SW6884 SW = 0x6884
	SW6900 SW = 0x6900
	SW6981 SW = 0x6981
	SW6982 SW = 0x6982
	SW6983 SW = 0x6983
	SW6984 SW = 0x6984
	SW6985 SW = 0x6985
	SW6986 SW = 0x6986
	SW6987 SW = 0x6987
	SW6988 SW = 0x6988
	SW6999 SW = 0x6999
	SW6A80 SW = 0x6A80
	SW6A81 SW = 0x6A81
	SW6A82 SW = 0x6A82
	SW6A83 SW = 0x6A83
	SW6A84 SW = 0x6A84
	SW6A86 SW = 0x6A86
	SW6A87 SW = 0x6A87
	SW6A88 SW = 0x6A88
	SW6A89 SW = 0x6A89
	SW6B00 SW = 0x6B00
	SW6D00 SW = 0x6D00
	SW6E00 SW = 0x6E00
	SW6F00 SW = 0x6F00
	SW9484 SW = 0x9484
	SW9485 SW = 0x9485
)

// Status words of the CoolKey applet. SW0009 is the odd answer of its 1.5 line to START ENROLLMENT
// with an unknown algorithm.
const (
	SW0009 SW = 0x0009
	SW9C01 SW = 0x9C01
	SW9C02 SW = 0x9C02
	SW9C03 SW = 0x9C03
	SW9C05 SW = 0x9C05
	SW9C06 SW = 0x9C06
	SW9C07 SW = 0x9C07
	SW9C08 SW = 0x9C08
	SW9C09 SW = 0x9C09
	SW9C0B SW = 0x9C0B
	SW9C0C SW = 0x9C0C
	SW9C0D SW = 0x9C0D
	SW9C0E SW = 0x9C0E
	SW9C0F SW = 0x9C0F
	SW9C10 SW = 0x9C10
	SW9C11 SW = 0x9C11
	SW9C12 SW = 0x9C12
	SW9C13 SW = 0x9C13
	SW9C14 SW = 0x9C14
	SW9C15 SW = 0x9C15
	SW9C16 SW = 0x9C16
	SW9C17 SW = 0x9C17
	SW9C18 SW = 0x9C18
	SW9C19 SW = 0x9C19
	SW9C1A SW = 0x9C1A
	SW9C1B SW = 0x9C1B
	SW9C1C SW = 0x9C1C
	SW9C1D SW = 0x9C1D
	SW9C1E SW = 0x9C1E
	SW9C1F SW = 0x9C1F
	SW9C20 SW = 0x9C20
	SW9C21 SW = 0x9C21
	SW9C22 SW = 0x9C22
	SW9CD0 SW = 0x9CD0
	SW9CFF SW = 0x9CFF
)

var swText = map[SW]string{
	SW9000: "success",
	SW6200: "warning, memory unchanged",
	SW6281: "part of the returned data may be corrupted",
	SW6282: "end of file before Le bytes",
	SW6283: "card locked or file deactivated",
	SW6285: "file in termination state",
	SW6300: "authentication of host cryptogram failed",
	SW6310: "more data available",
	SW6400: "execution error, memory unchanged",
	SW6438: "a required tag is missing",
	SW6581: "memory failure",
	SW6600: "security issue",
	SW6700: "wrong length",
	SW6800: "class function not supported",
	SW6881: "logical channel not supported or not active",
	SW6882: "secure messaging not supported",
	SW6883: "last command of the chain expected",
	SW6884: "command chaining not supported",
	SW6900: "command not allowed",
	SW6981: "command incompatible with file structure",
	SW6982: "security status not satisfied",
	SW6983: "authentication method blocked",
	SW6984: "reference data not usable",
	SW6985: "conditions of use not satisfied",
	SW6986: "command not allowed, no current file",
	SW6987: "secure messaging data object missing",
	SW6988: "secure messaging data object incorrect",
	SW6999: "applet selection failed",
	SW6A80: "incorrect parameters in data field",
	SW6A81: "function not supported",
	SW6A82: "application or file not found",
	SW6A83: "record not found",
	SW6A84: "not enough memory",
	SW6A86: "incorrect P1 or P2",
	SW6A87: "Lc inconsistent with P1 or P2",
	SW6A88: "referenced data not found",
	SW6A89: "file already exists",
	SW6B00: "wrong P1 or P2",
	SW6D00: "instruction not supported",
	SW6E00: "class not supported",
	SW6F00: "no precise diagnosis",
	SW9484: "algorithm not supported",
	SW9485: "invalid key check value",
	SW0009: "unsupported key generation algorithm",
	SW9C01: "not enough memory on the token",
	SW9C02: "wrong PIN",
	SW9C03: "operation not allowed",
	SW9C05: "unsupported feature",
	SW9C06: "unauthorised",
	SW9C07: "object not found",
	SW9C08: "object exists",
	SW9C09: "incorrect algorithm",
	SW9C0B: "signature self-check failed",
	SW9C0C: "identity blocked",
	SW9C0D: "unspecified error",
	SW9C0E: "invalid parameter (documented value)",
	SW9C0F: "invalid parameter",
	SW9C10: "incorrect P1",
	SW9C11: "incorrect P2",
	SW9C12: "end of sequence",
	SW9C13: "cipher direction not supported",
	SW9C14: "invalid cipher direction",
	SW9C15: "data location not supported",
	SW9C16: "invalid data location",
	SW9C17: "key type not supported",
	SW9C18: "invalid key type",
	SW9C19: "invalid data chunk size",
	SW9C1A: "invalid key size",
	SW9C1B: "cipher mode not supported",
	SW9C1C: "invalid cipher mode",
	SW9C1D: "output buffer too small",
	SW9C1E: "inconsistent key pairing",
	SW9C1F: "private key component truncated",
	SW9C20: "wrapped key verification failed",
	SW9C21: "private key is not an RSA key",
	SW9C22: "decrypted private key is malformed",
	SW9CD0: "DER encoding error",
	SW9CFF: "internal error",
}

// OK reports whether the status word is 9000.
func (s SW) OK() bool { return s == SW9000 }

// More returns the number of response bytes that wait for GET RESPONSE after 61xx; xx = 00 stands
// for 256 or more.
func (s SW) More() (n int, ok bool) {
	if s>>8 != 0x61 {
		return 0, false
	}
	return shortNe(byte(s)), true
}

// WrongLe returns the Ne with which to repeat the command after 6Cxx.
func (s SW) WrongLe() (ne int, ok bool) {
	if s>>8 != 0x6C {
		return 0, false
	}
	return shortNe(byte(s)), true
}

// TriesLeft returns the number of tries that are left after 63Cx.
func (s SW) TriesLeft() (n int, ok bool) {
	if s&0xFFF0 != 0x63C0 {
		return 0, false
	}
	return int(s & 0x0F), true
}

// Warning reports whether the command was processed with a warning, 62xx or 63xx.
func (s SW) Warning() bool { return s>>8 == 0x62 || s>>8 == 0x63 }

// Text is the meaning of the status word in lower case.
func (s SW) Text() string {
	if t, ok := swText[s]; ok {
		return t
	}
	if n, ok := s.More(); ok {
		return fmt.Sprintf("%d response bytes available", n)
	}
	if n, ok := s.WrongLe(); ok {
		return fmt.Sprintf("wrong Le, %d bytes available", n)
	}
	if n, ok := s.TriesLeft(); ok {
		return fmt.Sprintf("verification failed, %d tries left", n)
	}
	return s.classText()
}

// classText names the group of a status word that has no text of its own.
func (s SW) classText() string {
	switch s >> 8 {
	case 0x62:
		return "warning, memory unchanged"
	case 0x63:
		return "warning, memory changed"
	case 0x64:
		return "execution error, memory unchanged"
	case 0x65:
		return "execution error, memory changed"
	case 0x66:
		return "security issue"
	case 0x67:
		return "wrong length"
	case 0x68:
		return "class function not supported"
	case 0x69:
		return "command not allowed"
	case 0x6A:
		return "wrong parameters"
	case 0x6F:
		return "no precise diagnosis"
	case 0x9C:
		return "applet error"
	default:
		return "unknown status"
	}
}

// String returns the four upper-case hex digits.
func (s SW) String() string { return fmt.Sprintf("%04X", uint16(s)) }

// Error returns the digits and the text.
func (s SW) Error() string { return s.String() + " " + s.Text() }
