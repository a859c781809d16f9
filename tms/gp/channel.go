package gp

import (
	"fmt"

	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
)

// InitializeUpdate is INITIALIZE UPDATE, 80 50: it opens a secure channel with key version KVN
// (00: the first available) and key identifier KeyID (GPCS 2.3.1 §E.5.1, AMD-D §7.1.1).
type InitializeUpdate struct {
	KVN           keys.KVN
	KeyID         keys.KeyID
	HostChallenge [8]byte
	Ne            int
	Form
}

// Command prints the command.
func (i InitializeUpdate) Command() apdu.Command {
	return i.command(claGP, INSInitializeUpdate, byte(i.KVN), byte(i.KeyID), i.HostChallenge[:], i.Ne)
}

// ParseInitializeUpdate reads the command; its data are exactly the 8 bytes of the challenge.
func ParseInitializeUpdate(c apdu.Command) (InitializeUpdate, error) {
	f, err := formOf(c, claGP, INSInitializeUpdate)
	if err != nil {
		return InitializeUpdate{}, err
	}
	if len(c.Data) != 8 {
		return InitializeUpdate{}, lengthError(c, 8)
	}
	return InitializeUpdate{
		KVN: keys.KVN(c.P1), KeyID: keys.KeyID(c.P2),
		HostChallenge: [8]byte(c.Data), Ne: c.Ne, Form: f,
	}, nil
}

// Lengths of the INITIALIZE UPDATE answer in bytes, without status word.
const (
	initUpdate01 = 28 // SCP01 and SCP02 (GPCS 2.1.1 §D.4.1, GPCS 2.3.1 §E.5.1.6)
	initUpdate03 = 29 // SCP03 with random challenge (AMD-D §7.1.1.6)
	initUpdateS3 = 32 // SCP03 with pseudo-random challenge: 3 bytes of counter behind
)

// InitializeUpdateResponse is a card's answer to INITIALIZE UPDATE. Challenge has 8 bytes, 6 for
// SCP02. Seq is the sequence counter: 2 bytes for SCP02, 3 for SCP03 with pseudo-random challenges,
// nil otherwise. Info holds the i parameter for SCP03 alone.
type InitializeUpdateResponse struct {
	KDD        keys.KDD
	Info       keys.KeyInfo
	Challenge  []byte
	Seq        []byte
	Cryptogram [8]byte
}

// Bytes prints the answer without status word. It does not check the lengths of Challenge and Seq.
func (r InitializeUpdateResponse) Bytes() []byte {
	out := append([]byte(nil), r.KDD[:]...)
	out = append(out, r.Info.Bytes()...)
	if r.Info.SCP == 2 {
		out = append(out, r.Seq...)
	}
	out = append(out, r.Challenge...)
	out = append(out, r.Cryptogram[:]...)
	if r.Info.SCP == 3 {
		out = append(out, r.Seq...)
	}
	return out
}

// ParseInitializeUpdateResponse reads the data of a successful answer: 28 bytes for SCP01 and
// SCP02, 29 or 32 for SCP03. Any other length or protocol is an error that wraps ErrData.
func ParseInitializeUpdateResponse(b []byte) (InitializeUpdateResponse, error) {
	if len(b) < initUpdate01 {
		return InitializeUpdateResponse{}, fmt.Errorf("%w: initialize update answer of %d bytes",
			ErrData, len(b))
	}
	r := InitializeUpdateResponse{KDD: keys.KDD(b[:10])}
	r.Info.KVN, r.Info.SCP = keys.KVN(b[10]), b[11]
	want := initUpdate01
	rest := b[12:]
	switch r.Info.SCP {
	case 1:
	case 2:
		r.Seq, rest = rest[:2:2], rest[2:]
	case 3:
		r.Info.I, r.Info.HasI = rest[0], true
		rest = rest[1:]
		want = initUpdate03
		if len(b) == initUpdateS3 {
			want = initUpdateS3
			r.Seq = b[initUpdate03:]
		}
	default:
		return InitializeUpdateResponse{}, fmt.Errorf("%w: secure channel protocol %02X", ErrData,
			r.Info.SCP)
	}
	if len(b) != want {
		return InitializeUpdateResponse{}, fmt.Errorf("%w: initialize update answer of %d bytes "+
			"for SCP%02X", ErrData, len(b), r.Info.SCP)
	}
	n := 8 - len(r.Seq)
	if r.Info.SCP != 2 {
		n = 8
	}
	r.Challenge = rest[:n:n]
	r.Cryptogram = [8]byte(rest[n : n+8])
	return r, nil
}

// ExternalAuthenticate is EXTERNAL AUTHENTICATE, 84 82. Level is the security level for the rest of
// the session: 01 C-MAC, 02 C-DECRYPTION, 10 R-MAC, 20 R-ENCRYPTION (GPCS 2.3.1 §E.5.2,
// AMD-D §7.1.2).
type ExternalAuthenticate struct {
	Level          byte
	HostCryptogram [8]byte
	MAC            [8]byte
	Ne             int
	Form
}

// Command prints the command.
func (e ExternalAuthenticate) Command() apdu.Command {
	data := append(append(make([]byte, 0, 16), e.HostCryptogram[:]...), e.MAC[:]...)
	return e.command(claSecure, INSExternalAuthenticate, e.Level, 0, data, e.Ne)
}

// ParseExternalAuthenticate reads the command; its data are exactly cryptogram and MAC.
func ParseExternalAuthenticate(c apdu.Command) (ExternalAuthenticate, error) {
	f, err := formOf(c, claSecure, INSExternalAuthenticate)
	if err != nil {
		return ExternalAuthenticate{}, err
	}
	if c.P2 != 0 {
		return ExternalAuthenticate{}, parameterError(c)
	}
	if len(c.Data) != 16 {
		return ExternalAuthenticate{}, lengthError(c, 16)
	}
	return ExternalAuthenticate{
		Level: c.P1, HostCryptogram: [8]byte(c.Data[:8]), MAC: [8]byte(c.Data[8:]),
		Ne: c.Ne, Form: f,
	}, nil
}
