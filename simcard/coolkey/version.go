package coolkey

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"

	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
)

// Version tells builds of the applet apart: version number and build id, the Unix time at which it
// was built.
type Version struct {
	Major, Minor byte
	Build        uint32
}

// DefaultVersion is the build of the public source tree.
var DefaultVersion = Version{1, 4, 0x58755637}

// Builds in which something changed.
const (
	build15First = 0x558CDCFF // applet 1.5
	build15AES   = 0x64260792 // larger I/O buffer, AES
	build15CBC   = 0x65CBF5A6 // AES-CBC beside AES key wrap
)

// String gives the form in which token records hold it: "1.4.58768072".
func (v Version) String() string { return fmt.Sprintf("%d.%d.%08x", v.Major, v.Minor, v.Build) }

var versionText = regexp.MustCompile(`^([0-9]{1,3})\.([0-9]{1,3})\.([0-9a-fA-F]{8})$`)

// ParseVersion reads the form of String.
func ParseVersion(s string) (Version, error) {
	m := versionText.FindStringSubmatch(s)
	if m == nil {
		return Version{}, fmt.Errorf("applet version %.40q is not like 1.4.58768072", s)
	}
	major, err := strconv.ParseUint(m[1], 10, 8)
	if err != nil {
		return Version{}, fmt.Errorf("applet version %q: %w", s, err)
	}
	minor, err := strconv.ParseUint(m[2], 10, 8)
	if err != nil {
		return Version{}, fmt.Errorf("applet version %q: %w", s, err)
	}
	build, _ := hex.DecodeString(m[3])
	return Version{byte(major), byte(minor), binary.BigEndian.Uint32(build)}, nil
}

// VersionOf gives the version of a build id: 1.5 from the first build of that line on, 1.4 before.
// Build ids are times, but the two lines were not built one after the other.
func VersionOf(build uint32) Version {
	switch build {
	case build15First, build15AES, 0x65CBF5A6:
		return Version{1, 5, build}
	}
	return Version{1, 4, build}
}

// is15 tells the 1.5 line, which takes its secure channel from GlobalPlatform's own interface.
func (v Version) is15() bool { return v.Major == 1 && v.Minor >= 5 }

// hasTries tells builds with GET PIN TRIES and CLEAR KEY SLOTS.
func (v Version) hasTries() bool { return v.is15() || v.Build >= 0x58755637 }

// hasClear tells builds with CLEAR KEY SLOTS.
func (v Version) hasClear() bool { return v.hasTries() && v.Build != build15First }

// hasAES tells builds with the larger I/O buffer, RSA past 2048 bits, and AES around imported keys in
// place of plain import.
func (v Version) hasAES() bool { return v.is15() && v.Build >= build15AES }

// hasCBC tells builds that import keys under AES-CBC.
func (v Version) hasCBC() bool { return v.is15() && v.Build >= build15CBC }

// maxRSA is the size in bits of the largest RSA key that COMPUTE CRYPT takes.
func (v Version) maxRSA() int {
	if v.hasAES() {
		return 4096
	}
	return 2048
}

// maxChecked is the size in bits of the largest private key whose results are checked with the
// public one.
const maxChecked = 2048

// ioSize is the length of the I/O buffer in bytes.
func (v Version) ioSize() int {
	if v.hasAES() {
		return 1200
	}
	return 900
}

// scratch are places in the I/O buffer that the applet uses for itself, for all to see.
type scratch struct {
	check  int // result of the self check of COMPUTE CRYPT
	first  int // SHA-1 of its input
	second int // SHA-1 of the check result; also four random bytes at a wrong PIN
}

func (v Version) scratch() scratch {
	if v.hasAES() {
		return scratch{check: 514, first: 1100, second: 1150}
	}
	return scratch{check: 450, first: 714, second: 734}
}

// BuildComponent is the tag of the CAP component that carries the version of a load file made for
// this model: one of the private components that the Java Card specification leaves to everybody.
// Its content is the text of Version, nothing else.
const BuildComponent = 0x80

// knownFile is a load file that carries no such component.
type knownFile struct {
	size    int    // bytes of the load file
	digest  string // SHA-256 in hex; empty when only the size is public
	version Version
}

// knownFiles lists the load files that were published with token management systems. Their sizes
// are public; no digest is listed, because none can be checked here.
var knownFiles = []knownFile{
	{size: 14912, version: Version{1, 4, 0x499DC06C}},
	{size: 14874, version: Version{1, 4, 0x4D40A449}},
	{size: 15022, version: Version{1, 4, 0x54DE790F}},
	{size: 15409, version: Version{1, 4, 0x58768072}},
	{size: 15666, version: Version{1, 5, build15First}},
	{size: 17671, version: Version{1, 5, build15AES}},
	{size: 17969, version: Version{1, 5, 0x65CBF5A6}},
}

// IsPackage tells whether a load file is the CoolKey applet's.
func IsPackage(f gp.LoadFile) bool {
	return f.Package.Equal(lang.PackageAID) && f.HasApplet(lang.AppletAID)
}

// Identify gives the version of a CoolKey load file: what its version component says; else what is
// known of the file by digest or size; else the line that the package version stands for (1.0 for
// applets up to 1.4, 2.0 for 1.5), with build id 00000000.
func Identify(f gp.LoadFile, size int, sha256 string) Version {
	if text, ok := f.Component(BuildComponent); ok {
		if v, err := ParseVersion(string(text)); err == nil {
			return v
		}
	}
	for _, k := range knownFiles {
		if k.size == size && (k.digest == "" || k.digest == sha256) {
			return k.version
		}
	}
	if f.Major >= 2 {
		return Version{1, 5, 0}
	}
	return Version{1, 4, 0}
}
