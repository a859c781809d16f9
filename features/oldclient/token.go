package oldclient

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
)

// Keys are a card's three keys of 16 bytes.
type Keys struct{ Auth, MAC, KEK [16]byte }

// Factory are the published keys 40 to 4F, three times.
func Factory() (k Keys) {
	for i := range k.Auth {
		k.Auth[i] = 0x40 + byte(i)
	}
	k.MAC, k.KEK = k.Auth, k.Auth
	return k
}

// Token is a soft token. It believes whoever calls itself its server: no cryptogram, MAC or PIN is ever
// checked. It answers every GET DATA with CPLC, knows neither life cycle nor list of objects, and keeps
// nothing of a load or of a key that is brought to it. Make one with New.
type Token struct {
	CUID    [10]byte
	Version byte // of its keys
	Keys    Keys

	PIN      string          // as it was set last
	Made     [][]byte        // the key blobs of the keys it made
	Imported int             // keys that were brought to it, and thrown away
	Written  map[string]bool // objects, by id
	Silent   byte            // the instruction that it had no answer to; 0: it has answered all

	channel channel
	buffer  []byte // what is to be read of the key made last
}

// Recorded is the CUID of the token in the recording. All else that the recording fixes is every token's.
var Recorded = [10]byte{0x40, 0x90, 0x61, 0x45, 0xC7, 0x62, 0x24, 0x19, 0x2D, 0x2B}

// New makes a token as it comes out of the box.
func New(cuid [10]byte) *Token {
	return &Token{CUID: cuid, Version: 1, Keys: Factory(), Written: map[string]bool{}}
}

// ErrSilent means that the client says nothing at all to an instruction that it does not know.
var ErrSilent = errors.New("the old client does not answer this instruction")

const headLen = 5

// Answers that are always the same, from the recording.
var (
	ok       = []byte{0x90, 0x00}
	unknown  = []byte{0x6A, 0x88} // key version, or life cycle
	noList   = []byte{0x9C, 0x00}
	noObject = []byte{0x9C, 0x07}
	status   = []byte{
		1, 1, 0, 0, 1, 0, 0x20, 0xFF, 1, 0, 0x20, 0, 1, 0, 1, 0, 0x90, 0x00,
	}
	version = []byte{0x6F, 0xBB, 0xC1, 0x05, 0x90, 0x00}
)

// cplc has the unique id in three pieces, and the serial number 01020304.
func (t *Token) cplc() []byte {
	b := make([]byte, 0, 47)
	b = append(b, 1, 0, 1)
	b = append(b, t.CUID[:4]...)
	b = append(b, 1, 0, 1, 0, 1, 0, 1, 0)
	b = append(b, t.CUID[6:]...)
	b = append(b, t.CUID[4:6]...)
	b = append(b, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 2, 3, 4)
	return append(b[:45], ok...)
}

// Transmit answers a command. An error is silence.
func (t *Token) Transmit(cmd []byte) ([]byte, error) {
	if len(cmd) < headLen {
		return nil, fmt.Errorf("%w: %X", ErrSilent, cmd)
	}
	switch ins := cmd[1]; ins {
	case 0xA4, 0xE4, 0xE6, 0xE8, 0xF0: // SELECT, DELETE, INSTALL, LOAD, SET LIFECYCLE
		return ok, nil
	case 0xCA: // GET DATA, whichever
		return t.cplc(), nil
	case 0x3C:
		return status, nil
	case 0x70, 0x40, 0xF4: // CREATE PIN and SET ISSUER INFO are answered like GET VERSION
		return version, nil
	case 0xF2:
		return unknown, nil
	case 0x58:
		return noList, nil
	case 0x50:
		return t.initialize(cmd)
	case 0x82:
		t.channel.level = cmd[2]
		return ok, nil
	case 0xD8, 0x04, 0x0C, 0x0A, 0x56, 0x5A, 0x54:
		data, err := t.channel.open(cmd)
		if err != nil {
			return nil, fmt.Errorf("%02X at level %d: %w", ins, t.channel.level, err)
		}
		return t.do(ins, data)
	default:
		t.Silent = ins
		return nil, fmt.Errorf("%w: %02X", ErrSilent, ins)
	}
}

// initialize answers INITIALIZE UPDATE for the version that it has, or for none in particular.
func (t *Token) initialize(cmd []byte) ([]byte, error) {
	if len(cmd) < headLen+8 {
		return nil, fmt.Errorf("%w: %X", ErrSilent, cmd)
	}
	if v := cmd[2]; v != 0 && v != t.Version {
		return unknown, nil
	}
	var card [8]byte
	if _, err := rand.Read(card[:]); err != nil {
		return nil, err
	}
	return t.answer([8]byte(cmd[headLen:headLen+8]), card)
}

func (t *Token) answer(host, card [8]byte) ([]byte, error) {
	cryptogram, err := t.channel.begin(t.Keys, host, card)
	if err != nil {
		return nil, err
	}
	b := append(append([]byte{}, t.CUID[:]...), t.Version, 1)
	return append(append(append(b, card[:]...), cryptogram...), ok...), nil
}

// do does a command with its data in the clear.
func (t *Token) do(ins byte, data []byte) ([]byte, error) {
	switch ins {
	case 0xD8:
		return t.putKeys(data)
	case 0x04:
		t.PIN = string(data)
		return ok, nil
	case 0x0C:
		return t.generate(data)
	case 0x0A:
		t.Imported++
		return ok, nil
	case 0x56:
		return t.read(data)
	}
	if len(data) < 4 { // CREATE OBJECT and WRITE OBJECT
		return nil, fmt.Errorf("%02X: no object id", ins)
	}
	t.Written[string(data[:4])] = true
	return ok, nil
}

// putKeys takes new keys: a version, and three times 81, length, the key under the old KEK, a check value
// that it does not look at.
func (t *Token) putKeys(data []byte) ([]byte, error) {
	const one = 22
	if len(data) != 1+3*one {
		return nil, fmt.Errorf("PUT KEY with %d bytes", len(data))
	}
	var keys [3][16]byte
	for i := range keys {
		k, err := ecb(t.Keys.KEK, data[1+i*one+2:1+i*one+18], true)
		if err != nil {
			return nil, err
		}
		keys[i] = [16]byte(k)
	}
	t.Version, t.Keys = data[0], Keys{keys[0], keys[1], keys[2]}
	return ok, nil
}

// read reads of the buffer that a new key is in: id, offset, length.
func (t *Token) read(data []byte) ([]byte, error) {
	if len(data) != 9 {
		return nil, fmt.Errorf("READ OBJECT with %d bytes", len(data))
	}
	if binary.BigEndian.Uint32(data) != 0xFFFFFFFF {
		return noObject, nil
	}
	from := int(binary.BigEndian.Uint32(data[4:]))
	to := from + int(data[8])
	if from > len(t.buffer) || to > len(t.buffer) {
		return nil, fmt.Errorf("reading %d to %d of %d bytes", from, to, len(t.buffer))
	}
	return append(append([]byte{}, t.buffer[from:to]...), ok...), nil
}
