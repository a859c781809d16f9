package gp

import (
	"errors"
	"fmt"

	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/tlv"
)

// Load is LOAD, 80 E8: one block of the load stream (GPCS 2.3.1 §11.6).
type Load struct {
	Last  bool
	Block byte
	Data  []byte
	Ne    int
	Form
}

// Command prints the command.
func (l Load) Command() apdu.Command {
	var p1 byte
	if l.Last {
		p1 = topBit
	}
	return l.command(claGP, INSLoad, p1, l.Block, l.Data, l.Ne)
}

// ParseLoad reads the command; a block is not empty.
func ParseLoad(c apdu.Command) (Load, error) {
	f, err := formOf(c, claGP, INSLoad)
	if err != nil {
		return Load{}, err
	}
	if c.P1&^topBit != 0 {
		return Load{}, parameterError(c)
	}
	if len(c.Data) == 0 {
		return Load{}, fmt.Errorf("%w: empty load block", ErrLength)
	}
	return Load{Last: c.P1 != 0, Block: c.P2, Data: c.Data, Ne: c.Ne, Form: f}, nil
}

// MaxLoadBlocks is how many blocks a load sequence can number, 00 to FF.
const MaxLoadBlocks = 256

const (
	tagDAPBlock      = 0xE2 // before the load file data block
	tagLoadFile      = 0xC4
	tagLoadEncrypted = 0xD4 // ciphered load file data block
)

// LoadBlocks splits a load file into LOAD commands of at most blockSize bytes of data: the stream
// is C4, the length in BER, the file. It fails when blockSize is not 1 to 255, the file is empty,
// or there would be more than MaxLoadBlocks. Data alias a fresh copy of the file.
func LoadBlocks(file []byte, blockSize int) ([]Load, error) {
	if blockSize < 1 || blockSize > apdu.MaxShortData {
		return nil, fmt.Errorf("load block size %d is not 1 to %d", blockSize, apdu.MaxShortData)
	}
	if len(file) == 0 || len(file) > MaxLoadFile {
		return nil, fmt.Errorf("load file of %d bytes, want 1 to %d", len(file), MaxLoadFile)
	}
	stream := tlv.Append(nil, tagLoadFile, file)
	count := (len(stream) + blockSize - 1) / blockSize
	if count > MaxLoadBlocks {
		return nil, fmt.Errorf("load file of %d bytes takes %d blocks of %d bytes, at most %d",
			len(file), count, blockSize, MaxLoadBlocks)
	}
	blocks := make([]Load, 0, count)
	for i := range count {
		end := min((i+1)*blockSize, len(stream))
		blocks = append(blocks, Load{
			Last: i == count-1, Block: byte(i), Data: stream[i*blockSize : end : end],
		})
	}
	return blocks, nil
}

// Errors of LoadStream.
var (
	ErrLoadSequence = errors.New("gp: load block out of sequence")
	ErrLoadStream   = errors.New("gp: malformed load stream")
	ErrLoadTooLarge = errors.New("gp: load file too large")
)

// LoadStream puts LOAD blocks together on the card's side. The zero value waits for block 00. Limit
// bounds the bytes it holds; zero means MaxLoadFile and a little for what stands around the file.
// After an error it refuses everything.
type LoadStream struct {
	Limit int

	buf  []byte
	next int
	done bool
	err  error
}

// Add takes the next block. It returns true after the last one. Blocks come strictly in sequence
// (GPCS 2.3.1 §11.6.1); the first out of order, too many bytes, or one after the last end the
// stream with ErrLoadSequence or ErrLoadTooLarge.
func (s *LoadStream) Add(l Load) (done bool, err error) {
	limit := s.Limit
	if limit <= 0 {
		limit = MaxLoadFile + 1024
	}
	switch {
	case s.err != nil:
	case s.done || int(l.Block) != s.next:
		s.err = fmt.Errorf("%w: block %02X, want %02X", ErrLoadSequence, l.Block, s.next&0xFF)
	case len(s.buf)+len(l.Data) > limit:
		s.err = fmt.Errorf("%w: more than %d bytes", ErrLoadTooLarge, limit)
	default:
		s.buf = append(s.buf, l.Data...)
		s.next++
		s.done = l.Last
	}
	return s.done && s.err == nil, s.err
}

// Next is the number of the block that Add expects, and so how many it has taken.
func (s *LoadStream) Next() int { return s.next }

// Len is the number of bytes taken.
func (s *LoadStream) Len() int { return len(s.buf) }

// File returns the load file of a complete stream and the DAP blocks (the contents of E2) that
// stood before it. It fails with ErrLoadStream when the stream is not complete or is anything but
// DAP blocks and one load file data block.
func (s *LoadStream) File() (file []byte, dap [][]byte, err error) {
	if s.err != nil {
		return nil, nil, s.err
	}
	if !s.done {
		return nil, nil, fmt.Errorf("%w: the last block is missing", ErrLoadStream)
	}
	rest := s.buf
	for {
		var n tlv.Node
		if n, rest, err = tlv.Split(rest); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrLoadStream, err)
		}
		switch n.Tag {
		case tagDAPBlock:
			dap = append(dap, n.Value)
		case tagLoadFile:
			if len(rest) > 0 {
				return nil, nil, fmt.Errorf("%w: %d bytes behind the file", ErrLoadStream, len(rest))
			}
			return n.Value, dap, nil
		case tagLoadEncrypted:
			return nil, nil, fmt.Errorf("%w: ciphered load file", ErrLoadStream)
		default:
			return nil, nil, fmt.Errorf("%w: tag %X", ErrLoadStream, n.Tag)
		}
	}
}
