package apdu

// Bits of the class byte (ISO/IEC 7816-4 §5.4.1, GPCS 2.3.1 §11.1.4). A first interindustry class
// (b7 = 0) carries channels 0 to 3 and the secure messaging bit 04; a further one (b7 = 1) carries
// channels 4 to 19 and the secure messaging bit 20.
const (
	ChainingBit = 0x10 // more commands of the chain follow

	proprietaryBit = 0x80
	furtherBit     = 0x40
	firstSM        = 0x04
	furtherSM      = 0x20
	maxChannel     = 19
)

// Channel returns the logical channel number in cla, 0 to 19.
func Channel(cla byte) int {
	if cla&furtherBit != 0 {
		return 4 + int(cla&0x0F)
	}
	return int(cla & 0x03)
}

// WithChannel returns cla with its logical channel set to ch. Secure messaging and the proprietary
// bit are kept. ok is false, and cla unchanged, when ch is not 0 to 19.
func WithChannel(cla byte, ch int) (out byte, ok bool) {
	if ch < 0 || ch > maxChannel {
		return cla, false
	}
	out = cla & (proprietaryBit | ChainingBit)
	if ch < 4 {
		out |= byte(ch)
	} else {
		out |= furtherBit | byte(ch-4)
	}
	return WithSecure(out, Secure(cla)), true
}

// Secure reports whether cla announces secure messaging in GlobalPlatform's form.
func Secure(cla byte) bool {
	return cla&smBit(cla) != 0
}

// WithSecure returns cla with GlobalPlatform's secure messaging bit set or cleared.
func WithSecure(cla byte, on bool) byte {
	if on {
		return cla | smBit(cla)
	}
	return cla &^ smBit(cla)
}

// Chaining reports whether cla says that more commands of a chain follow.
func Chaining(cla byte) bool {
	return cla&ChainingBit != 0
}

// WithChaining returns cla with the chaining bit set or cleared.
func WithChaining(cla byte, on bool) byte {
	if on {
		return cla | ChainingBit
	}
	return cla &^ ChainingBit
}

func smBit(cla byte) byte {
	if cla&furtherBit != 0 {
		return furtherSM
	}
	return firstSM
}
