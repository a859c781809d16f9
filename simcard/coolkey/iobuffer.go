package coolkey

import (
	"encoding/binary"

	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

// buffered is the content of the I/O object: as much of the buffer as its size says.
func (a *instance) buffered() []byte {
	return a.io[:max(0, min(int(a.st.IOSize), len(a.io)))]
}

// putIO puts values behind their lengths into the I/O object and gives its new size.
func (a *instance) putIO(values ...[]byte) int {
	at := 0
	for _, v := range values {
		binary.BigEndian.PutUint16(a.io[at:], uint16(len(v)))
		at += 2 + copy(a.io[at+2:], v)
	}
	a.st.IOSize = int16(at)
	return at
}

// payload finds the input of an operation: length in two bytes, then data, in what the command
// brought behind the location byte or in the I/O object. The length is read as a signed number.
func (a *instance) payload(location byte, rest []byte) (n int, data []byte, err error) {
	switch location {
	case lang.LocationAPDU:
	case lang.LocationBuffer:
		rest = a.buffered()
	default:
		return 0, nil, apdu.SW9C16
	}
	if len(rest) < 2 {
		return 0, nil, apdu.SW6700
	}
	n = int(int16(binary.BigEndian.Uint16(rest)))
	if n > len(rest)-2 {
		return 0, nil, apdu.SW9C19
	}
	return n, rest[2 : 2+max(n, 0)], nil
}
