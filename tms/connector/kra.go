package connector

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/tms/gp/keys"
)

// Bounds of the fields that travel between TPS and KRA.
const (
	MaxUserID    = 255     // bytes of a user id
	MaxRequestID = 128     // characters of a request id
	MaxKeyID     = 39      // decimal digits of a key id: 128 bits
	MaxCertLen   = 8 << 10 // bytes of a certificate
	maxWrapped   = 8 << 10 // bytes of a wrapped private key
	maxPublicKey = 4 << 10 // bytes of a SubjectPublicKeyInfo
	maxUsages    = 256     // characters of a list of usages
)

// KRA is what a TPS asks of a key recovery authority. kra.Service is the in-process form,
// *KRAClient the one over HTTPS. Errors are *KRAError (compare with errors.Is against
// ErrKeyNotFound and its neighbours), ErrUnauthorized, ErrUnavailable, or the context's.
// Implementations are safe for concurrent use. Whoever repeats a GenerateKeyPair with the same
// RequestID gets the same key; the other calls change nothing but the audit trail.
type KRA interface {
	// GenerateKeyPair makes a key pair, archives it for its owner before it answers, and gives
	// the private key wrapped for a card.
	GenerateKeyPair(ctx context.Context, req KeyPairRequest) (KeyPairResponse, error)
	// RecoverKey gives an archived private key, wrapped for a card, to its owner and nobody else.
	RecoverKey(ctx context.Context, req KeyRecoveryRequest) (KeyPairResponse, error)
	// FindKey tells what is archived, without any key leaving.
	FindKey(ctx context.Context, req KeyQuery) (KeyInfo, error)
}

// KeyType is the kind of a key pair, in the words of the wire form.
type KeyType string

// The kinds.
const (
	KeyRSA KeyType = "RSA" // 2048, 3072 or 4096 bits
	KeyEC  KeyType = "EC"  // 256, 384 or 521 bits: the NIST curve over a prime field
)

// KeyWrap is how a private key (PKCS #8) is wrapped under a transport key.
type KeyWrap uint8

// The ways, each with the algorithm byte by which CoolKey's IMPORT KEY ENCRYPTED takes it.
const (
	WrapAESKWP  KeyWrap = iota // AES key wrap with padding, RFC 5649; 88
	WrapAESCBC                 // AES-CBC, zero IV, PKCS #7 padding; 89
	WrapDES3CBC                // 3DES-CBC, 8 random bytes of IV, PKCS #5 padding; 81 or 80
)

// String names the way.
func (w KeyWrap) String() string {
	switch w {
	case WrapAESKWP:
		return "AES-KWP"
	case WrapAESCBC:
		return "AES-CBC"
	case WrapDES3CBC:
		return "3DES-CBC"
	}
	return fmt.Sprintf("wrap %d", uint8(w))
}

// KeyID is the number of an archived key in its KRA, in decimal digits; "" means none.
type KeyID string

// Valid tells whether the id is 1 to MaxKeyID digits.
func (id KeyID) Valid() bool {
	if id == "" || len(id) > MaxKeyID {
		return false
	}
	for _, c := range id {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// CardTransport holds the keys of KRATransport that are encrypted to the KRA, one or both, and the
// wish how an AES one is used. With both, a generated key comes under the AES key and a recovered
// one under the DES key, as the wire form prescribes: who wants to be sure sends one.
type CardTransport struct {
	DRMTransDESKey []byte
	DRMTransAESKey []byte
	AESWrap        KeyWrap // WrapAESKWP or WrapAESCBC
}

// KeyPairRequest asks for a new key pair.
type KeyPairRequest struct {
	// RequestID is the caller's name for this request, the same whenever it is repeated: 1 to
	// MaxRequestID of the characters that WithSession takes. With "" every call makes a new key.
	// Keys that are not archived are forgotten at once: for these no repetition gives the same.
	RequestID string
	CUID      keys.CUID
	UserID    string // 1 to MaxUserID bytes; CUID and UserID are the owner of the archived key
	Type      KeyType
	Bits      int
	Archive   bool
	Usages    string // what the key is for, kept with it and otherwise not looked at
	CardTransport
}

// KeyPairResponse is a key pair on its way to a card.
type KeyPairResponse struct {
	KeyID     KeyID  // "" when not archived, or from a KRA that does not tell
	PublicKey []byte // SubjectPublicKeyInfo, DER
	Wrapped   []byte // the private key, PKCS #8 under the transport key
	IV        []byte // 8 bytes for 3DES, 16 zero bytes for AES-CBC, nothing that matters for KWP
	Wrap      KeyWrap
}

// KeyRecoveryRequest asks for an archived key. It must be named by KeyID, or by a certificate for
// its public key, or by both if they agree.
type KeyRecoveryRequest struct {
	CUID        keys.CUID // the card that the key goes to; it may be another than it was made for
	UserID      string    // must be the owner
	KeyID       KeyID
	Certificate []byte // DER
	CardTransport
}

// KeyQuery names an archived key by one of its fields, or by several if they agree.
type KeyQuery struct {
	RequestID   string
	KeyID       KeyID
	Certificate []byte // DER
}

// KeyInfo says what is archived. It holds nothing secret.
type KeyInfo struct {
	KeyID     KeyID
	CUID      keys.CUID // the card that the key was made for
	UserID    string
	Type      KeyType
	Bits      int
	PublicKey []byte // SubjectPublicKeyInfo, DER
}

// KRAStatus is the number a KRA answers with; 0 is success.
type KRAStatus int

// The numbers of the wire form, and what they mean in every form.
const (
	KRAOK          KRAStatus = 0
	KRANoWrapped   KRAStatus = 2  // the transport key is missing, cannot be opened or does not wrap
	KRANoKeyNamed  KRAStatus = 3  // neither certificate nor key id
	KRARequest     KRAStatus = 4  // the request is not one that can be fulfilled
	KRACertificate KRAStatus = 5  // the certificate cannot be read
	KRACertMapping KRAStatus = 6  // certificate and key record do not belong together
	KRANoResult    KRAStatus = 7  // the key is not to be had
	KRANotFound    KRAStatus = 8  // no such key record, or it is another's
	KRARead        KRAStatus = 9  // the key record cannot be read
	KRANoKeygen    KRAStatus = 10 // the home of keys failed
	KRAInternal    KRAStatus = 11
)

var kraStatusText = map[KRAStatus]string{
	KRAOK:          "ok",
	KRANoWrapped:   "private key could not be wrapped",
	KRANoKeyNamed:  "neither certificate nor key id given",
	KRARequest:     "request cannot be fulfilled",
	KRACertificate: "certificate cannot be read",
	KRACertMapping: "certificate does not match the key record",
	KRANoResult:    "key is not to be had",
	KRANotFound:    "no such key record",
	KRARead:        "key record cannot be read",
	KRANoKeygen:    "home of keys failed",
	KRAInternal:    "internal error of the key recovery authority",
}

// String gives a few words for s.
func (s KRAStatus) String() string {
	if t, ok := kraStatusText[s]; ok {
		return t
	}
	return fmt.Sprintf("key recovery authority status %d", int(s))
}

// Sentinels for errors.Is. They match every *KRAError of the same status.
var (
	ErrKeyWrap       = &KRAError{Status: KRANoWrapped}
	ErrKeyRequest    = &KRAError{Status: KRARequest}
	ErrKeyNotFound   = &KRAError{Status: KRANotFound}
	ErrKeyMapping    = &KRAError{Status: KRACertMapping}
	ErrKeyUnreadable = &KRAError{Status: KRARead}
	ErrKeygen        = &KRAError{Status: KRANoKeygen}
)

// KRAError is a request that a KRA understood and did not fulfil. Over HTTPS only Status travels:
// the reason stays in the KRA's log.
type KRAError struct {
	Status KRAStatus
	Err    error // the reason, nil when only the number is known
}

// Error gives the status in words, and the reason when there is one.
func (e *KRAError) Error() string {
	if e.Err == nil {
		return e.Status.String()
	}
	return e.Status.String() + ": " + e.Err.Error()
}

// Unwrap gives the reason.
func (e *KRAError) Unwrap() error { return e.Err }

// Is matches any *KRAError of the same status.
func (e *KRAError) Is(target error) bool {
	t, ok := target.(*KRAError)
	return ok && t.Status == e.Status
}

// KRAErrorf makes a *KRAError of status s with a formatted reason.
func KRAErrorf(s KRAStatus, format string, args ...any) error {
	return &KRAError{Status: s, Err: fmt.Errorf(format, args...)}
}

// KRAStatusOf gives the number to answer for err: KRAOK for nil, the status of the outermost
// *KRAError in its chain, KRAInternal for anything else.
func KRAStatusOf(err error) KRAStatus {
	if err == nil {
		return KRAOK
	}
	if e, ok := errors.AsType[*KRAError](err); ok {
		return e.Status
	}
	return KRAInternal
}
