package nvm

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// The image: a 16-byte header, then frames. All numbers are big-endian.
//
//	header  "TOKENNVM" version(2) zero(2) crc(4 over the 12 bytes before)
//	frame   5A A5 length(4) body(length) crc(4 over length and body)
//	body    commit number(8), then per change
//	        01 nameLen(2) name valueLen(4) value    put
//	        02 nameLen(2) name                      delete
const (
	headerLen   = 16
	version     = 1
	frameHead   = 6
	frameTail   = 4
	bodyHead    = 8
	maxName     = 255
	maxValue    = 1 << 20
	maxBody     = 4 << 20
	opPut       = 1
	opDelete    = 2
	frameMagic0 = 0x5A
	frameMagic1 = 0xA5
)

var (
	magic = [8]byte{'T', 'O', 'K', 'E', 'N', 'N', 'V', 'M'}
	table = crc32.MakeTable(crc32.Castagnoli)
)

func appendHeader(b []byte) []byte {
	n := len(b)
	b = append(b, magic[:]...)
	b = binary.BigEndian.AppendUint16(b, version)
	b = append(b, 0, 0)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[n:], table))
}

func checkHeader(b []byte) error {
	want := appendHeader(nil)
	if [8]byte(b[:8]) != magic {
		return fmt.Errorf("%w: not a card state file", ErrCorrupt)
	}
	if [headerLen]byte(b[:headerLen]) != [headerLen]byte(want) {
		return fmt.Errorf("%w: header of an unknown version", ErrCorrupt)
	}
	return nil
}

// appendFrame appends the frame of a commit. Changes are in the order in which they apply.
func appendFrame(b []byte, seq uint64, changes []change) []byte {
	start := len(b)
	b = append(b, frameMagic0, frameMagic1, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, seq)
	for _, c := range changes {
		b = c.append(b)
	}
	binary.BigEndian.PutUint32(b[start+2:], uint32(len(b)-start-frameHead))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start+2:], table))
}

// change is one put (Value not nil) or delete.
type change struct {
	name  string
	value []byte
	del   bool
}

func (c change) append(b []byte) []byte {
	op := byte(opPut)
	if c.del {
		op = opDelete
	}
	b = append(b, op)
	b = binary.BigEndian.AppendUint16(b, uint16(len(c.name)))
	b = append(b, c.name...)
	if c.del {
		return b
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(c.value)))
	return append(b, c.value...)
}

// nextFrame reads the frame at the start of b. torn tells that b is what a cut write leaves: it ends
// before the frame does, or at its end with a wrong checksum.
func nextFrame(b []byte) (body []byte, size int, torn bool, err error) {
	if len(b) < frameHead {
		return nil, 0, true, nil
	}
	if b[0] != frameMagic0 || b[1] != frameMagic1 {
		return nil, 0, false, fmt.Errorf("%w: no frame where one should start", ErrCorrupt)
	}
	n := binary.BigEndian.Uint32(b[2:])
	if n < bodyHead || n > maxBody {
		return nil, 0, false, fmt.Errorf("%w: frame of %d bytes", ErrCorrupt, n)
	}
	size = frameHead + int(n) + frameTail
	if len(b) < size {
		return nil, 0, true, nil
	}
	body = b[frameHead : frameHead+int(n)]
	if crc32.Checksum(b[2:frameHead+int(n)], table) != binary.BigEndian.Uint32(b[size-frameTail:]) {
		if len(b) == size {
			return nil, 0, true, nil
		}
		return nil, 0, false, fmt.Errorf("%w: wrong checksum before the last frame", ErrCorrupt)
	}
	return body, size, false, nil
}

// parseBody gives the commit number and the changes of a frame; values alias body.
func parseBody(body []byte) (uint64, []change, error) {
	seq := binary.BigEndian.Uint64(body)
	var out []change
	for r := body[bodyHead:]; len(r) > 0; {
		var c change
		var err error
		if c, r, err = parseChange(r); err != nil {
			return 0, nil, err
		}
		out = append(out, c)
	}
	return seq, out, nil
}

func parseChange(r []byte) (change, []byte, error) {
	if len(r) < 3 {
		return change{}, nil, fmt.Errorf("%w: change cut short", ErrCorrupt)
	}
	op, n := r[0], int(binary.BigEndian.Uint16(r[1:]))
	r = r[3:]
	if op != opPut && op != opDelete || n == 0 || n > maxName || len(r) < n {
		return change{}, nil, fmt.Errorf("%w: malformed change", ErrCorrupt)
	}
	c := change{name: string(r[:n]), del: op == opDelete}
	r = r[n:]
	if c.del {
		return c, r, nil
	}
	if len(r) < 4 {
		return change{}, nil, fmt.Errorf("%w: value cut short", ErrCorrupt)
	}
	v := binary.BigEndian.Uint32(r)
	r = r[4:]
	if v > maxValue || uint32(len(r)) < v {
		return change{}, nil, fmt.Errorf("%w: value of %d bytes", ErrCorrupt, v)
	}
	c.value = r[:v:v]
	return c, r[v:], nil
}
