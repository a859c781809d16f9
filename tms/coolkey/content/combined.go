package content

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"tokenwright/tms/gp/keys"
)

// FormatVersion is the version of the combined form, the first two bytes of z0.
const FormatVersion = 0x0100

// HeaderLen is the length of the header of z0 in bytes.
const HeaderLen = 20

// Compressions of the data of z0.
const (
	CompressionNone = 0
	CompressionZlib = 1 // RFC 1950
)

// Bounds of z0 in bytes.
const (
	// MinCombined: the CoolKey module reads 255 bytes at once and passes over a z0 that is shorter.
	MinCombined = 255
	// MinData: OpenSC refuses a card whose z0 has fewer bytes of data, inflated.
	MinData = 260
	// MaxData: the CoolKey module copies the inflated data into a file of 15,000 bytes, behind a few
	// headers of its own, and does not look whether they fit.
	MaxData = 14848
	// MaxCombined is the largest object that the applet can hold.
	MaxCombined = 0x7FEF

	// maxInflated bounds the data of a z0 that somebody else wrote.
	maxInflated = 1 << 16
)

// Header is the header of z0.
type Header struct {
	Format, Version uint16
	CUID            keys.CUID
	Compression     uint16
	// Size is the length of the data as stored, Offset where in the object they begin.
	Size, Offset uint16
}

// ParseHeader reads the first 20 bytes of z0. It does not look at the format version, as no reader
// does.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderLen {
		return Header{}, fmt.Errorf("%w: header of %d bytes, want %d", ErrForm, len(b), HeaderLen)
	}
	h := Header{
		Format: binary.BigEndian.Uint16(b), Version: binary.BigEndian.Uint16(b[2:]),
		CUID:        keys.CUID(b[4:14]),
		Compression: binary.BigEndian.Uint16(b[14:]), Size: binary.BigEndian.Uint16(b[16:]),
		Offset: binary.BigEndian.Uint16(b[18:]),
	}
	if h.Offset < HeaderLen {
		return Header{}, fmt.Errorf("%w: data at offset %d, inside the header", ErrForm, h.Offset)
	}
	return h, nil
}

// Bytes prints the 20 bytes.
func (h Header) Bytes() []byte {
	b := binary.BigEndian.AppendUint16(nil, h.Format)
	b = binary.BigEndian.AppendUint16(b, h.Version)
	b = append(b, h.CUID[:]...)
	b = binary.BigEndian.AppendUint16(b, h.Compression)
	b = binary.BigEndian.AppendUint16(b, h.Size)
	return binary.BigEndian.AppendUint16(b, h.Offset)
}

// Options say how Combined writes. The zero value is for tokens that people use.
type Options struct {
	// Plain leaves the data uncompressed.
	Plain bool
	// Exact writes what the content asks for and nothing else: no filler below MinData bytes of
	// data, and the compression asked for even below MinCombined bytes.
	Exact bool
}

// Combined prints the content as z0. Unless told otherwise it keeps to what readers demand: data of
// fewer than MinData bytes get a filler object that no reader shows, and data that would compress to
// less than MinCombined bytes, or not at all, stay uncompressed. It fails with ErrTooLarge when there
// are more than MaxObjects objects or MaxData bytes of data.
func (c Content) Combined(o Options) ([]byte, error) {
	data, err := c.data(!o.Exact)
	if err != nil {
		return nil, err
	}
	h := Header{Format: FormatVersion, Version: c.Version, CUID: c.CUID, Offset: HeaderLen}
	if !o.Plain {
		small, err := deflate(data)
		if err != nil {
			return nil, err
		}
		if o.Exact || len(small) < len(data) && HeaderLen+len(small) >= MinCombined {
			data, h.Compression = small, CompressionZlib
		}
	}
	h.Size = uint16(len(data))
	return append(h.Bytes(), data...), nil
}

// dataHead is the length of what stands before the token name.
const dataHead = 2 + 2 + 1

// data prints the data before compression.
func (c Content) data(fill bool) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	objects := c.objects()
	b, err := c.print(objects)
	if err != nil || !fill || len(b) >= MinData {
		return b, err
	}
	return c.print(addFiller(objects, MinData-len(b)))
}

func (c Content) print(objects []Object) ([]byte, error) {
	if len(objects) > MaxObjects {
		return nil, fmt.Errorf("%w: %d objects, at most %d", ErrTooLarge, len(objects), MaxObjects)
	}
	b := binary.BigEndian.AppendUint16(nil, uint16(dataHead+len(c.TokenName)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(objects)))
	b = append(append(b, byte(len(c.TokenName))), c.TokenName...)
	for _, o := range objects {
		if err := o.check(); err != nil {
			return nil, err
		}
		if b = o.append(b); len(b) > MaxData {
			return nil, fmt.Errorf("%w: more than %d bytes of data", ErrTooLarge, MaxData)
		}
	}
	if _, err := readObjects(b[dataHead+len(c.TokenName):]); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrValue, err)
	}
	return b, nil
}

// ParseCombined reads z0: the object as it is on the token, which may be longer than its content.
// Slices of the result alias b when it is not compressed. The number of objects that z0 states is
// not believed, since writers get it wrong: objects are read to the end of the data.
func ParseCombined(b []byte) (Content, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return Content{}, err
	}
	if int(h.Offset)+int(h.Size) > len(b) {
		return Content{}, fmt.Errorf("%w: %d bytes of data at offset %d go past the end at %d", ErrForm,
			h.Size, h.Offset, len(b))
	}
	data := b[h.Offset:][:h.Size:h.Size]
	switch h.Compression {
	case CompressionNone:
	case CompressionZlib:
		if data, err = inflate(data); err != nil {
			return Content{}, err
		}
	default:
		return Content{}, fmt.Errorf("%w: compression %d", ErrForm, h.Compression)
	}
	c := Content{CUID: h.CUID, Version: h.Version}
	return c, c.read(data)
}

func (c *Content) read(data []byte) error {
	if len(data) < dataHead {
		return fmt.Errorf("%w: %d bytes of data, want %d or more", ErrForm, len(data), dataHead)
	}
	first, end := int(binary.BigEndian.Uint16(data)), dataHead+int(data[4])
	if first < end || first > len(data) {
		return fmt.Errorf("%w: first object at %d of %d, token name ends at %d", ErrForm, first,
			len(data), end)
	}
	objects, err := readObjects(data[first:])
	if err != nil {
		return err
	}
	c.TokenName = string(data[dataHead:end])
	for _, o := range objects {
		c.take(o)
	}
	return nil
}

// writers are used again: one that is new has some hundred kilobytes of tables to set up, which takes
// longer than to compress what a card holds.
var writers = sync.Pool{New: func() any { return zlib.NewWriter(io.Discard) }}

func deflate(data []byte) ([]byte, error) {
	var out bytes.Buffer
	w, ok := writers.Get().(*zlib.Writer)
	if !ok {
		w = zlib.NewWriter(io.Discard)
	}
	defer func() {
		w.Reset(io.Discard) // what it holds of data does not stay
		writers.Put(w)
	}()
	w.Reset(&out)
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// inflate reads a whole zlib stream, of which nothing may be left, and no more than maxInflated
// bytes.
func inflate(b []byte) ([]byte, error) {
	in := bytes.NewReader(b)
	r, err := zlib.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("%w: inflating: %w", ErrForm, err)
	}
	out, err := io.ReadAll(io.LimitReader(r, maxInflated+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: inflating: %w", ErrForm, err)
	case len(out) > maxInflated:
		return nil, fmt.Errorf("%w: inflates to more than %d bytes", ErrTooLarge, maxInflated)
	case in.Len() > 0:
		return nil, fmt.Errorf("%w: %d bytes behind the compressed data", ErrForm, in.Len())
	}
	return out, nil
}
