package gp

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Bounds on a load file.
const (
	MaxLoadFile   = 256 << 10 // bytes, as loaded
	maxComponents = 32
	maxApplets    = 32
	componentHead = 3 // tag, length
)

// Tags of CAP file components (Java Card 3 VM Specification §6.1).
const (
	ComponentHeader       = 1
	ComponentDirectory    = 2
	ComponentApplet       = 3
	ComponentImport       = 4
	ComponentConstantPool = 5
	ComponentClass        = 6
	ComponentMethod       = 7
	ComponentStaticField  = 8
	ComponentRefLocation  = 9
	ComponentExport       = 10
	ComponentDescriptor   = 11
	ComponentDebug        = 12
	ComponentStaticRes    = 13
	ComponentCustom       = 128 // and above: private components
)

// capMagic opens the header component.
const capMagic = 0xDECAFFED

// ErrLoadFile is wrapped by every error about a load file's content.
var ErrLoadFile = errors.New("gp: malformed load file")

// Component is one component of a CAP file: its tag and its body, without tag and length.
type Component struct {
	Tag  byte
	Data []byte
}

// Applet is an applet class that a load file defines: an executable module.
type Applet struct {
	AID           AID
	InstallOffset uint16 // of its install method in the method component
}

// LoadFile is a Java Card load file. Package, Major and Minor name and version the package,
// CAPMajor and CAPMinor the file format. Components keep their order in the file.
type LoadFile struct {
	Package            AID
	Major, Minor       byte
	CAPMajor, CAPMinor byte
	Applets            []Applet
	Components         []Component
}

// ParseLoadFile reads a load file of at most MaxLoadFile bytes: either components one behind the
// other as cards take them (.ijc), or a CAP file, which is a ZIP archive of them. Component data of
// the first kind alias b. The error wraps ErrLoadFile or ErrLoadTooLarge.
func ParseLoadFile(b []byte) (LoadFile, error) {
	if isZip(b) {
		return parseCAP(b)
	}
	return ParseComponents(b)
}

// ParseComponents reads components one behind the other, each tag(1) length(2) body, the header
// first. The components are not checked beyond what LoadFile tells of them.
func ParseComponents(b []byte) (LoadFile, error) {
	if len(b) > MaxLoadFile {
		return LoadFile{}, fmt.Errorf("%w: %d bytes, at most %d", ErrLoadTooLarge, len(b), MaxLoadFile)
	}
	var f LoadFile
	for len(b) > 0 {
		c, rest, err := splitComponent(b)
		if err != nil {
			return LoadFile{}, err
		}
		if err := f.add(c); err != nil {
			return LoadFile{}, err
		}
		b = rest
	}
	return f, f.check()
}

func splitComponent(b []byte) (Component, []byte, error) {
	if len(b) < componentHead {
		return Component{}, nil, fmt.Errorf("%w: %d bytes left for a component", ErrLoadFile, len(b))
	}
	n := int(binary.BigEndian.Uint16(b[1:]))
	rest := b[componentHead:]
	if n > len(rest) {
		return Component{}, nil, fmt.Errorf("%w: component %d of %d bytes, %d left", ErrLoadFile,
			b[0], n, len(rest))
	}
	return Component{Tag: b[0], Data: rest[:n:n]}, rest[n:], nil
}

// add checks that a component may stand where it stands and reads those that name something.
func (f *LoadFile) add(c Component) error {
	first := len(f.Components) == 0
	switch {
	case c.Tag == 0 || c.Tag > ComponentStaticRes && c.Tag < ComponentCustom:
		return fmt.Errorf("%w: component tag %d", ErrLoadFile, c.Tag)
	case first != (c.Tag == ComponentHeader):
		return fmt.Errorf("%w: component %d at position %d", ErrLoadFile, c.Tag, len(f.Components))
	case len(f.Components) == maxComponents:
		return fmt.Errorf("%w: more than %d components", ErrLoadFile, maxComponents)
	}
	if _, ok := f.Component(c.Tag); ok {
		return fmt.Errorf("%w: component %d twice", ErrLoadFile, c.Tag)
	}
	f.Components = append(f.Components, c)
	switch c.Tag {
	case ComponentHeader:
		return f.readHeader(c.Data)
	case ComponentApplet:
		return f.readApplets(c.Data)
	default:
		return nil
	}
}

// readHeader reads magic, CAP version, flags, and the package's version and AID (JCVM §6.4).
func (f *LoadFile) readHeader(b []byte) error {
	r := reader{rest: b}
	if magic := r.take("magic", 4); magic != nil && binary.BigEndian.Uint32(magic) != capMagic {
		return fmt.Errorf("%w: magic %X", ErrLoadFile, magic)
	}
	f.CAPMinor, f.CAPMajor = r.byte("CAP version"), r.byte("CAP version")
	r.byte("flags")
	f.Minor, f.Major = r.byte("package version"), r.byte("package version")
	f.Package = r.shortAID("package aid")
	if r.err != nil {
		return fmt.Errorf("%w: header: %w", ErrLoadFile, r.err)
	}
	return nil
}

// readApplets reads the applets' AIDs and install methods (JCVM §6.6).
func (f *LoadFile) readApplets(b []byte) error {
	r := reader{rest: b}
	n := int(r.byte("count"))
	if n > maxApplets {
		return fmt.Errorf("%w: %d applets, at most %d", ErrLoadFile, n, maxApplets)
	}
	for range n {
		a := Applet{AID: r.shortAID("applet aid")}
		if off := r.take("install method", 2); off != nil {
			a.InstallOffset = binary.BigEndian.Uint16(off)
		}
		f.Applets = append(f.Applets, a)
	}
	if err := r.end(); err != nil {
		return fmt.Errorf("%w: applets: %w", ErrLoadFile, err)
	}
	return nil
}

// shortAID reads an AID behind one length byte.
func (r *reader) shortAID(what string) AID {
	v := r.take(what, int(r.byte(what)))
	if r.err != nil {
		return nil
	}
	a, err := aidOf(v)
	if err != nil {
		r.err = fmt.Errorf("%s: %w", what, err)
	}
	return a
}

func (f *LoadFile) check() error {
	if len(f.Components) == 0 {
		return fmt.Errorf("%w: empty", ErrLoadFile)
	}
	return nil
}

// Component returns the body of the component with the given tag.
func (f LoadFile) Component(tag byte) ([]byte, bool) {
	for _, c := range f.Components {
		if c.Tag == tag {
			return c.Data, true
		}
	}
	return nil, false
}

// HasApplet reports whether the file defines an applet class with this AID.
func (f LoadFile) HasApplet(aid AID) bool {
	for _, a := range f.Applets {
		if a.AID.Equal(aid) {
			return true
		}
	}
	return false
}

// Bytes prints the components one behind the other, the form that LOAD carries.
func (f LoadFile) Bytes() []byte {
	var out []byte
	for _, c := range f.Components {
		out = append(out, c.Tag, byte(len(c.Data)>>8), byte(len(c.Data)))
		out = append(out, c.Data...)
	}
	return out
}
