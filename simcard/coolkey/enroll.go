package coolkey

import (
	"crypto/sha1"
	"encoding/binary"

	"tokenwright/simcard/coolkey/keyblob"
	"tokenwright/simcard/coolkey/slots"
	"tokenwright/simcard/pubkey"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

// enrollLen is the length of the data of START ENROLLMENT in bytes: algorithm, size in two, option,
// type, length of the challenge, challenge, length of a check value that there is not.
const enrollLen = 23

// challengeLen is the length of the challenge in bytes.
const challengeLen = 16

// startEnrollment makes an RSA key pair.
func (a *instance) startEnrollment(cmd apdu.Command, lc int, data []byte) ([]byte, error) {
	return a.enroll(cmd, data, false)
}

// startEnrollmentEC makes a key pair on the curve whose field has the bits asked for. No public applet
// does; it goes as for RSA, with the key blob that clients expect.
func (a *instance) startEnrollmentEC(cmd apdu.Command, lc int, data []byte) ([]byte, error) {
	const binaryField = 4 // the algorithm of curves over binary fields, as Java Card numbers it
	if len(data) == enrollLen && data[0]&0x7F == binaryField {
		return nil, apdu.SW9C17
	}
	return a.enroll(cmd, data, true)
}

// enroll makes a key pair, proves that it was made here by signing public key and challenge, and
// leaves both in the I/O object. It answers their length.
func (a *instance) enroll(cmd apdu.Command, data []byte, ec bool) ([]byte, error) {
	p, err := pairAddress(cmd)
	if err != nil {
		return nil, err
	}
	if err := a.mayReplace(p.private); err != nil {
		return nil, err
	}
	if err := a.mayReplace(p.public); err != nil {
		return nil, err
	}
	if len(data) != enrollLen {
		return nil, apdu.SW6700
	}
	challenge, err := a.challenge(data, ec)
	if err != nil {
		return nil, err
	}
	bits := binary.BigEndian.Uint16(data[1:])
	if err := a.buildPair(p, bits, ec); err != nil {
		return nil, err
	}
	made, err := a.keys.Join(p.private, p.public, ec)
	if err != nil {
		return nil, err
	}
	generate := a.generateRSA
	if ec {
		generate = a.generateEC
	}
	sign, blob, err := generate(p, made)
	if err != nil {
		return nil, err
	}
	a.settle(p)
	a.setMates(p.private, p.public)
	if made != bits {
		return nil, apdu.SW6F00 // The key-pair object makes keys of its own size, which do not fit.
	}
	proof, err := sign(sha1.Sum(append(blob[:len(blob):len(blob)], challenge...)))
	if err != nil {
		return nil, err
	}
	return binary.BigEndian.AppendUint16(nil, uint16(a.putIO(blob, proof))), nil
}

// challenge decrypts the challenge. The 1.4 line leaves the format to the platform, which has one
// word for all that is wrong with it; the 1.5 line looks itself, and answers an algorithm that it does
// not know with a word that is none.
func (a *instance) challenge(data []byte, ec bool) ([]byte, error) {
	const algorithm, length, check = 0, 5, enrollLen - 1
	if a.version.is15() {
		switch {
		case data[algorithm] != lang.AlgorithmDES && !ec:
			return nil, apdu.SW0009
		case data[length] != challengeLen:
			return nil, apdu.SW9C1A
		case data[check] != 0:
			return nil, apdu.SW9C05
		}
	}
	if data[length] != challengeLen || data[check] != 0 {
		return nil, apdu.SW9C20
	}
	plain, err := a.env.Channel.Decrypt(data[length+1 : check])
	if err != nil || len(plain) != challengeLen {
		return nil, apdu.SW9C20
	}
	return plain, nil
}

// buildPair makes the key objects of both slots.
func (a *instance) buildPair(p address, bits uint16, ec bool) error {
	if err := a.keys.Mates(p.private, p.public); err != nil {
		return err
	}
	private, public, legal := lang.KeyRSAPrivateCRT, lang.KeyRSAPublic, a.legalRSA(bits)
	if ec {
		private, public, legal = slots.KeyECCPrivate, lang.KeyECCPublic, pubkey.ECSize(int(bits))
	}
	if err := a.build(p.private, private, bits, legal); err != nil {
		return err
	}
	return a.build(p.public, public, bits, legal)
}

// legalRSA reports whether the platform makes key objects of a size.
func (a *instance) legalRSA(bits uint16) bool {
	return pubkey.RSASize(int(bits)) && int(bits) <= a.version.maxRSA()
}

// signer signs a SHA-1 digest with a new private key.
type signer func(digest [sha1.Size]byte) ([]byte, error)

func (a *instance) generateRSA(p address, bits uint16) (signer, []byte, error) {
	n, err := pubkey.GenerateRSA(a.env.Random, int(bits))
	if err != nil {
		return nil, nil, err
	}
	if err := a.keys.SetPrivate(p.private, n); err != nil {
		return nil, nil, err
	}
	if err := a.keys.SetPublic(p.public, n.Modulus, n.Exponent); err != nil {
		return nil, nil, err
	}
	key, _ := a.keys.RSA(p.private)
	sign := func(digest [sha1.Size]byte) ([]byte, error) {
		proof := pubkey.PadSHA1(digest, len(n.Modulus))
		return proof, key.Apply(proof, proof)
	}
	return sign, keyblob.AppendRSA(nil, bits, n.Modulus, n.Exponent), nil
}

func (a *instance) generateEC(p address, bits uint16) (signer, []byte, error) {
	d, err := pubkey.GenerateEC(a.env.Random, int(bits))
	if err != nil {
		return nil, nil, err
	}
	if err := a.keys.SetECPrivate(p.private, d); err != nil {
		return nil, nil, err
	}
	key, _ := a.keys.EC(p.private)
	if err := a.keys.SetECPublic(p.public, key.Point()); err != nil {
		return nil, nil, err
	}
	sign := func(digest [sha1.Size]byte) ([]byte, error) { return key.Sign(digest[:]) }
	return sign, keyblob.AppendEC(nil, bits, key.Point()), nil
}
