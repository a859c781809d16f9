// Package connector owns the contracts by which one subsystem asks another: today what a
// TPS asks of a TKS. A contract is a small Go interface with request and response types;
// it has an in-process form (the subsystem's own service type) and an HTTPS form (TKSClient
// and TKSHandler) that speaks the wire form of Dogtag's subsystems over mutual TLS.
//
// It must not know how keys are derived, where they are kept, or what an APDU is: it moves
// requests and answers, bounds them, and says precisely why one failed.
package connector

import (
	"context"

	"tokenwright/tms/gp/keys"
)

// Lengths in bytes and bounds of the fields that travel between TPS and TKS.
const (
	ChallengeLen      = 8    // host challenge, and card challenge of SCP01 and SCP03
	SCP02ChallengeLen = 6    // card challenge of SCP02; 2 bytes of sequence counter precede it
	SequenceLen       = 2    // sequence counter of SCP02
	EncryptDataLen    = 16   // the only length EncryptData takes
	MaxRandomLen      = 1024 // the most ComputeRandomData gives at once
	MaxKeySetName     = 64   // characters in a keySet name
)

// DefaultKeySet is the keySet used when a request names none.
const DefaultKeySet = "defKeySet"

// TKS is what a TPS asks of a token key service. tks.Service is the in-process form,
// *TKSClient the one over HTTPS. Errors are *Error (compare with errors.Is against ErrDerivation
// and its neighbours), ErrUnauthorized, ErrUnavailable, or the context's. Implementations are safe
// for concurrent use, and every call may be repeated: none changes anything but random numbers.
type TKS interface {
	// ComputeSessionKey verifies the card cryptogram and only then gives session keys and
	// the host cryptogram that answers it.
	ComputeSessionKey(ctx context.Context, req SessionKeyRequest) (SessionKeyResponse, error)
	// CreateKeySetData gives the body of the PUT KEY that takes a card to another key set.
	CreateKeySetData(ctx context.Context, req KeySetDataRequest) (KeySetDataResponse, error)
	// EncryptData encrypts the caller's 16 bytes under the card's static DEK.
	EncryptData(ctx context.Context, req EncryptDataRequest) (EncryptDataResponse, error)
	// ComputeRandomData gives n random bytes, 1 to MaxRandomLen.
	ComputeRandomData(ctx context.Context, n int) ([]byte, error)
}

// SCP02Stepper is the older way to ask for SCP02 session keys, one derivation constant a call
// and without any card cryptogram: the caller has to check the card itself. It is served to
// those clients alone whose entry allows it (Client.SCP02Steps).
type SCP02Stepper interface {
	DeriveSCP02Key(ctx context.Context, req SCP02KeyRequest) (SCP02KeyResponse, error)
}

// CardID names a card and the keys it says it carries, as every request does.
type CardID struct {
	CUID keys.CUID    // card unique id, cut from CPLC
	KDD  keys.KDD     // key diversification data, first 10 bytes of INITIALIZE UPDATE
	Info keys.KeyInfo // key information of INITIALIZE UPDATE; KVN selects the master key
	// KeySet is the name of the key set; "" means the receiver's default.
	KeySet string
	// SCP is the secure channel protocol, 1, 2 or 3; 0 means Info.SCP.
	SCP byte
}

// Protocol gives the secure channel protocol of the request: SCP, or Info.SCP when SCP is 0.
func (c CardID) Protocol() byte {
	if c.SCP != 0 {
		return c.SCP
	}
	return c.Info.SCP
}

// SessionKeyRequest asks for the session keys of one secure channel. // GPCS 2.3.1 Annexes D, E
type SessionKeyRequest struct {
	SCP           byte // 1, 2 or 3; 0 means Info.SCP
	I             byte // implementation option i of the protocol
	CUID          keys.CUID
	KDD           keys.KDD
	Info          keys.KeyInfo
	KeySet        string // "" means the default key set
	HostChallenge [ChallengeLen]byte
	CardChallenge []byte // 8 bytes; 6 in SCP02
	Seq           []byte // 2 bytes in SCP02, empty otherwise (SCP03's counter is not needed)
	// CardCryptogram is what the card answered; it is always verified.
	CardCryptogram [8]byte
	// ServerSideKeygen asks for the transport keys of KRATransport as well.
	ServerSideKeygen bool
}

// Card gives the part of the request that identifies the card and its keys.
func (r SessionKeyRequest) Card() CardID {
	return CardID{CUID: r.CUID, KDD: r.KDD, Info: r.Info, KeySet: r.KeySet, SCP: r.SCP}
}

// SessionKeyResponse holds the keys of one secure channel. Keys redacts itself when printed.
type SessionKeyResponse struct {
	// Keys are the session keys. SRMAC is zero in SCP01, and in SCP02 may be. SDEK is zero in
	// SCP01 and SCP03, where the static DEK takes its place and stays in the TKS.
	Keys           keys.SessionKeys
	HostCryptogram [8]byte
	KRATransport   // filled when ServerSideKeygen was asked for
}

// KRATransport carries the two fresh keys that protect a private key between KRA and card, a
// two-key DES3 and an AES-128 one: each wrapped under the card's DEK for the card, and encrypted
// to the KRA's transport certificate for the KRA. Slices are the receiver's to keep. The zero
// value means that none was asked for.
type KRATransport struct {
	KekWrappedDESKey []byte // 16 bytes under the card's DEK
	KekWrappedAESKey []byte // 16 bytes under the card's DEK
	KeyCheckDES      []byte // 3 bytes
	KeyCheckAES      []byte // 3 bytes
	DRMTransDESKey   []byte // RSA; 24 bytes inside, K1‖K2‖K1
	DRMTransAESKey   []byte // RSA; 16 bytes inside
}

// SCP02KeyRequest asks for the session key of one derivation constant. // GPCS 2.3.1 §E.4.1
type SCP02KeyRequest struct {
	CUID             keys.CUID
	KDD              keys.KDD
	Info             keys.KeyInfo
	KeySet           string
	Seq              [SequenceLen]byte
	Constant         [2]byte // 0182 ENC, 0101 C-MAC, 0102 R-MAC, 0181 DEK
	ServerSideKeygen bool
}

// SCP02KeyResponse is the answer to SCP02KeyRequest; KRATransport is filled for the DEK call.
type SCP02KeyResponse struct {
	Key keys.Key
	KRATransport
}

// KeySetDataRequest asks for the data of a PUT KEY that replaces the card's three keys.
type KeySetDataRequest struct {
	SCP  byte // 1, 2 or 3; 0 means Info.SCP
	CUID keys.CUID
	KDD  keys.KDD
	Info keys.KeyInfo // what the card carries now
	// NewInfo is what it shall carry: the KVN must be 01 to 7F. KVN 01 without a master key
	// mapped to it is the developer set, that is: revert.
	NewInfo keys.KeyInfo
	KeySet  string // key set that the new keys come from
	// OldKeySet is the key set that the present keys come from; "" means KeySet.
	OldKeySet string
	// SDEK is the DEK session key: SCP02 wraps the new keys under it; zero otherwise.
	SDEK keys.Key
}

// Card gives the part of the request that identifies the card and its keys.
func (r KeySetDataRequest) Card() CardID {
	return CardID{CUID: r.CUID, KDD: r.KDD, Info: r.Info, KeySet: r.KeySet, SCP: r.SCP}
}

// KeySetDataResponse holds the data field of PUT KEY: new KVN, then ENC, MAC and DEK, each
// wrapped and followed by its key check value. // GPCS 2.3.1 §11.8
type KeySetDataResponse struct {
	KeySetData []byte
}

// EncryptDataRequest asks to encrypt Data, exactly EncryptDataLen bytes, under the card's DEK.
type EncryptDataRequest struct {
	SCP    byte // 1, 2 or 3; 0 means Info.SCP
	CUID   keys.CUID
	KDD    keys.KDD
	Info   keys.KeyInfo
	KeySet string
	Data   []byte
}

// Card gives the part of the request that identifies the card and its keys.
func (r EncryptDataRequest) Card() CardID {
	return CardID{CUID: r.CUID, KDD: r.KDD, Info: r.Info, KeySet: r.KeySet, SCP: r.SCP}
}

// EncryptDataResponse holds the plaintext that was used and what became of it. Data always is
// what this project's TKS was given; a foreign one may have put its own random in its place, so
// a caller that means to compare must use Data.
type EncryptDataResponse struct {
	Data      []byte
	Encrypted []byte
}
