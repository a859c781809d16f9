package keyblob

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha1"
	"fmt"
)

// ChallengeLen is the length in bytes of the challenge that an enrollment proves its key with.
const ChallengeLen = 16

// MaxAnswer is the longest answer in bytes that any applet's buffer can hold.
const MaxAnswer = 1200

// Answer is what START ENROLLMENT leaves in the buffer: the blob of the new public key, and the
// proof that its private key is on the token. Both are behind a length of 2 bytes.
type Answer struct {
	Blob  []byte
	Proof []byte
	// Public is the key in Blob, an *rsa.PublicKey or *ecdsa.PublicKey. Bytes does not look at it.
	Public crypto.PublicKey
}

// ParseAnswer reads the content of the buffer, as many bytes as the command answered. The slices
// alias b.
func ParseAnswer(b []byte) (Answer, error) {
	if len(b) > MaxAnswer {
		return Answer{}, fmt.Errorf("%w: answer of %d bytes, at most %d", ErrForm, len(b), MaxAnswer)
	}
	var a Answer
	var err error
	if a.Blob, b, err = number(b, "blob"); err != nil {
		return Answer{}, err
	}
	if a.Proof, b, err = number(b, "proof"); err != nil {
		return Answer{}, err
	}
	if len(b) != 0 {
		return Answer{}, fmt.Errorf("%w: %d bytes behind the proof", ErrForm, len(b))
	}
	blob, err := Parse(a.Blob)
	if err != nil {
		return Answer{}, err
	}
	a.Public, err = blob.Public()
	return a, err
}

// Bytes prints the answer.
func (a Answer) Bytes() []byte { return appendNumber(nil, a.Blob, a.Proof) }

// Verify checks the proof: a signature by the new key over the blob and the challenge that was sent
// under the DEK. RSA signs in PKCS #1 v1.5 form with SHA-1, EC by ECDSA with SHA-1 in DER; the
// applet knows no other hash. Errors wrap ErrProof.
func (a Answer) Verify(challenge [ChallengeLen]byte) error {
	digest := ProofDigest(a.Blob, challenge)
	switch key := a.Public.(type) {
	case *rsa.PublicKey:
		if err := rsa.VerifyPKCS1v15(key, crypto.SHA1, digest[:], a.Proof); err != nil {
			return fmt.Errorf("%w: %w", ErrProof, err)
		}
		return nil
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(key, digest[:], a.Proof) {
			return ErrProof
		}
		return nil
	default:
		return fmt.Errorf("%w: no key to check it with", ErrProof)
	}
}

// ProofDigest is what the proof signs: SHA-1 over blob and challenge.
func ProofDigest(blob []byte, challenge [ChallengeLen]byte) [sha1.Size]byte {
	return sha1.Sum(append(blob[:len(blob):len(blob)], challenge[:]...))
}
