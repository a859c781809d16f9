package coolkey

import (
	"crypto/aes"
	"crypto/subtle"
	"encoding/binary"

	"tokenwright/simcard/coolkey/keyblob"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
)

// wrapped is the data of IMPORT KEY ENCRYPTED: object, algorithm, session key under the key
// encryption key, its check value, and the initialisation vector of what the object holds.
type wrapped struct {
	object    lang.ObjectID
	algorithm byte
	key       []byte
	check, iv []byte
}

// wrappedKeyLen is the length in bytes of a two-key 3DES key, and of what is used of an AES key.
const wrappedKeyLen = 16

// isAES tells the algorithms that builds with AES know besides 3DES, which all others stand for.
func (a *instance) isAES(algorithm byte) bool {
	return algorithm == lang.AlgorithmAESKWP && a.version.hasAES() ||
		algorithm == lang.AlgorithmAESCBC && a.version.hasCBC()
}

// parseWrapped reads the data in the applet's order of checks: 6700 but for a key length, 9C1A.
func (a *instance) parseWrapped(d []byte) (w wrapped, err error) {
	const head = 6
	if len(d) <= head {
		return w, apdu.SW6700
	}
	w.object, w.algorithm = lang.ObjectID(binary.BigEndian.Uint32(d)), d[4]
	n := int(d[5])
	if n != wrappedKeyLen && !a.isAES(w.algorithm) {
		return w, apdu.SW9C1A
	}
	if d = d[head:]; len(d) <= n {
		return w, apdu.SW6700
	}
	w.key, d = d[:n], d[n:]
	if n = int(d[0]); len(d) <= 1+n {
		return w, apdu.SW6700
	}
	w.check, d = d[1:1+n], d[1+n:]
	if n = int(d[0]); len(d) < 1+n || n != 8 && !(n == 16 && a.version.hasAES()) {
		return w, apdu.SW6700
	}
	w.iv = d[1 : 1+n]
	return w, nil
}

// importEncryptedKey takes a key from an object under a session key that comes along. From the check
// of mates on the object is zeroed, whatever happens; until then it stays, decrypted or not.
func (a *instance) importEncryptedKey(cmd apdu.Command, _ int, data []byte) ([]byte, error) {
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
	w, err := a.parseWrapped(data)
	if err != nil {
		return nil, err
	}
	key, err := a.unwrapKey(w)
	if err != nil {
		return nil, err
	}
	from, err := a.source(w.object)
	if err != nil {
		return nil, err
	}
	if !from.io && (!from.read.Grants(a.who) || !from.write.Grants(a.who)) {
		return nil, apdu.SW9C06
	}
	blob, err := a.decryptBlob(from.data, w, key)
	if err != nil {
		return nil, err
	}
	defer clear(from.data)
	return nil, a.takeDecrypted(blob, p)
}

// takeDecrypted puts the key into the slots, which become mates.
func (a *instance) takeDecrypted(blob keyblob.Blob, p address) error {
	mates := false
	switch blob.Type {
	case lang.KeyRSAPrivate, lang.KeyRSAPrivateCRT, lang.KeyPKCS8Pair:
		mates = true
		if err := a.keys.Mates(p.private, p.public); err != nil {
			return err
		}
	}
	const sequence = 0x30
	pair := blob.Type == lang.KeyPKCS8Pair
	if pair && (len(blob.Data) == 0 || blob.Data[0] != sequence) {
		return apdu.SW9C22
	}
	if err := a.take(blob, p.private, p.public); err != nil {
		return err
	}
	if pair {
		a.settle(p)
		return nil
	}
	if mates {
		a.setMates(p.private, p.public)
	}
	a.setPrivateACL(p)
	return nil
}

// unwrapKey gives the session key: 9C20 if it cannot be had or its check value is wrong. A check value
// has three bytes or none, which the 1.5 line answers with a word of its own.
func (a *instance) unwrapKey(w wrapped) (keys.Key, error) {
	const checkLen = 3
	if n := len(w.check); n != 0 && n != checkLen {
		if a.version.is15() {
			return keys.Key{}, apdu.SW9C05
		}
		return keys.Key{}, apdu.SW9C20
	}
	plain, err := a.env.Channel.Decrypt(w.key)
	if err != nil || len(plain) != len(w.key) || len(plain) < wrappedKeyLen {
		return keys.Key{}, apdu.SW9C20
	}
	algorithm := keys.DES3
	if a.isAES(w.algorithm) {
		algorithm = keys.AES
	}
	key, err := keys.New(algorithm, plain[:wrappedKeyLen])
	if err != nil {
		return keys.Key{}, apdu.SW9C20
	}
	kcv := key.KCV()
	if len(w.check) > 0 && subtle.ConstantTimeCompare(kcv[:], w.check) != 1 {
		return keys.Key{}, apdu.SW9C20
	}
	return key, nil
}

// decryptBlob decrypts an encrypted blob in place and gives it. One that is not encrypted is taken as
// it is, unless the I/O buffer, wherever the blob lies, starts with another byte than 00: the applet
// looks there for the encoding.
func (a *instance) decryptBlob(data []byte, w wrapped, key keys.Key) (keyblob.Blob, error) {
	blob, err := keyblob.Parse(data)
	if err != nil {
		return blob, err
	}
	if blob.Encoding != keyblob.Encrypted {
		if a.io[0] != keyblob.Plain {
			return blob, apdu.SW9C0F
		}
		return blob, nil
	}
	if a.isAES(w.algorithm) {
		blob.Data, err = decryptAES(w, key, blob.Data)
		return blob, err
	}
	if len(w.iv) != 8 {
		return blob, apdu.SW6F00
	}
	plain, err := key.DecryptCBC(w.iv, blob.Data)
	if err != nil {
		return blob, apdu.SW6F00
	}
	copy(blob.Data, plain)
	return blob, nil
}

// decryptAES decrypts in place and takes the padding off. The vector of AES-CBC is zero whatever was
// sent.
func decryptAES(w wrapped, key keys.Key, data []byte) ([]byte, error) {
	if w.algorithm == lang.AlgorithmAESKWP {
		c, err := aes.NewCipher(key.Bytes())
		if err != nil {
			return nil, apdu.SW6F00
		}
		plain, ok := keyblob.UnwrapKWP(c, data)
		if !ok {
			return nil, apdu.SW9C22
		}
		return plain, nil
	}
	plain, err := key.DecryptCBC(nil, data)
	if err != nil {
		return nil, apdu.SW6F00
	}
	copy(data, plain)
	plain, ok := keyblob.Unpad(data, aes.BlockSize)
	if !ok {
		return nil, apdu.SW9C22
	}
	return plain, nil
}
