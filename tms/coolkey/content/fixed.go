package content

import (
	"fmt"
	"strings"
)

// Class is the CKA_CLASS of an object (PKCS #11 2.40 §4.2).
type Class uint32

// Classes.
const (
	ClassData        Class = 0
	ClassCertificate Class = 1
	ClassPublicKey   Class = 2
	ClassPrivateKey  Class = 3
	ClassSecretKey   Class = 4
)

// String names the class.
func (c Class) String() string {
	names := [...]string{"data", "certificate", "public key", "private key", "secret key"}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("class %d", uint32(c))
}

// Fixed is the word of fixed attributes of an object: CKA_ID in bits 0 to 3, class in bits 4 to 6,
// and a bit for each boolean attribute. An explicit attribute of the object overrides its bit. Bits
// from 24 on are reserved; they are kept.
type Fixed uint32

// Boolean attributes.
const (
	Token            Fixed = 1 << 7
	Private          Fixed = 1 << 8
	Modifiable       Fixed = 1 << 9
	Derive           Fixed = 1 << 10
	Local            Fixed = 1 << 11
	Encrypt          Fixed = 1 << 12
	Decrypt          Fixed = 1 << 13
	Wrap             Fixed = 1 << 14
	Unwrap           Fixed = 1 << 15
	Sign             Fixed = 1 << 16
	SignRecover      Fixed = 1 << 17
	Verify           Fixed = 1 << 18
	VerifyRecover    Fixed = 1 << 19
	Sensitive        Fixed = 1 << 20
	AlwaysSensitive  Fixed = 1 << 21
	Extractable      Fixed = 1 << 22
	NeverExtractable Fixed = 1 << 23
)

// What a key pair is for, as a TPS writes it.
const (
	SigningPublic     = Token | Verify | VerifyRecover
	SigningPrivate    = Token | Private | Sensitive | Sign | SignRecover
	EncryptionPublic  = Token | Encrypt | Wrap
	EncryptionPrivate = Token | Private | Sensitive | Decrypt | Unwrap
	// What an encryption key on a curve can do.
	AgreementPublic  = Token | Derive
	AgreementPrivate = Token | Private | Sensitive | Derive
)

const (
	idMask     Fixed = 0x0F
	classShift       = 4
	classMask  Fixed = 7 << classShift
)

// NewFixed puts class, CKA_ID (0 to 15) and boolean attributes together.
func NewFixed(c Class, id int, flags Fixed) Fixed {
	return Fixed(id)&idMask | Fixed(c)<<classShift&classMask | flags&^(idMask|classMask)
}

// ID gives the CKA_ID, which by convention is the container.
func (f Fixed) ID() int { return int(f & idMask) }

// Class gives the class.
func (f Fixed) Class() Class { return Class(f & classMask >> classShift) }

// Flags gives the boolean attributes, and the reserved bits.
func (f Fixed) Flags() Fixed { return f &^ (idMask | classMask) }

// Has reports whether all these boolean attributes are set and exist for the class: a public key,
// for one, has no CKA_SENSITIVE, whatever its bit says.
func (f Fixed) Has(flags Fixed) bool { return f&f.exist()&flags == flags }

// exist gives the boolean attributes that objects of the class have.
func (f Fixed) exist() Fixed {
	switch f.Class() {
	case ClassPublicKey:
		return 0x000C5F80
	case ClassPrivateKey:
		return 0x00F3AF80
	case ClassSecretKey:
		return 0x00F5FF80
	default:
		return Token | Private | Modifiable
	}
}

// booleans lists the boolean attributes with their CKA codes and names. Those that the separate form
// has come first, in the order in which it has them.
var booleans = []struct {
	flag Fixed
	cka  AttributeType
	name string
}{
	{Encrypt, 0x104, "encrypt"},
	{Sign, 0x108, "sign"},
	{SignRecover, 0x109, "sign recover"},
	{Decrypt, 0x105, "decrypt"},
	{Derive, 0x10C, "derive"},
	{Unwrap, 0x107, "unwrap"},
	{Wrap, 0x106, "wrap"},
	{VerifyRecover, 0x10B, "verify recover"},
	{Verify, 0x10A, "verify"},
	{Sensitive, 0x103, "sensitive"},
	{Private, 0x002, "private"},
	{Token, 0x001, "token"},
	{Modifiable, 0x170, "modifiable"},
	{Local, 0x163, "local"},
	{AlwaysSensitive, 0x165, "always sensitive"},
	{Extractable, 0x162, "extractable"},
	{NeverExtractable, 0x164, "never extractable"},
}

// separateBooleans is how many of booleans the separate form has.
const separateBooleans = 12

// String shows class, id and the boolean attributes that are set.
func (f Fixed) String() string {
	var set []string
	for _, b := range booleans {
		if f&b.flag != 0 {
			set = append(set, b.name)
		}
	}
	return fmt.Sprintf("%v %d: %s", f.Class(), f.ID(), strings.Join(set, ", "))
}
