package oldclient

import (
	"crypto/cipher"
	"crypto/des"
	"errors"
	"fmt"
)

// level3 is the security level at which commands are encrypted.
const level3 = 3

// triple makes a cipher of a key of two parts.
func triple(key [16]byte) (cipher.Block, error) {
	return des.NewTripleDESCipher(append(key[:], key[:8]...))
}

// ecb encrypts or decrypts block by block.
func ecb(key [16]byte, in []byte, decrypt bool) ([]byte, error) {
	b, err := triple(key)
	if err != nil {
		return nil, err
	}
	if len(in)%des.BlockSize != 0 {
		return nil, fmt.Errorf("%d bytes are no whole blocks", len(in))
	}
	out := make([]byte, len(in))
	for i := 0; i < len(in); i += des.BlockSize {
		if decrypt {
			b.Decrypt(out[i:], in[i:])
		} else {
			b.Encrypt(out[i:], in[i:])
		}
	}
	return out, nil
}

// lastBlock is the last block of a CBC encryption without start value.
func lastBlock(key [16]byte, in []byte) ([]byte, error) {
	b, err := triple(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(in))
	cipher.NewCBCEncrypter(b, make([]byte, des.BlockSize)).CryptBlocks(out, in)
	return out[len(out)-des.BlockSize:], nil
}

// channel is what a token knows of the secure channel, by Open Platform 2.0.1, appendix D.
type channel struct {
	enc   [16]byte
	level byte
}

// begin derives the session's key and gives the card's cryptogram.
func (c *channel) begin(k Keys, host, card [8]byte) ([]byte, error) {
	data := append(append(append(append([]byte{}, card[4:]...), host[:4]...), card[:4]...), host[4:]...)
	enc, err := ecb(k.Auth, data, false)
	if err != nil {
		return nil, err
	}
	*c = channel{enc: [16]byte(enc)}
	text := append(append(append([]byte{}, host[:]...), card[:]...), 0x80, 0, 0, 0, 0, 0, 0, 0)
	return lastBlock(c.enc, text)
}

const macLen = 8

// open takes the MAC off, which the token does not look at, and decrypts. The last eight bytes are the
// MAC to it whatever the length says, so that a command with an expected length behind is garbage; and
// at level 3 it expects even no data to be encrypted.
func (c *channel) open(cmd []byte) ([]byte, error) {
	if len(cmd) < headLen+macLen {
		return nil, errors.New("no room for a MAC")
	}
	data := cmd[headLen : len(cmd)-macLen]
	if c.level != level3 {
		return data, nil
	}
	if len(data) == 0 || len(data)%des.BlockSize != 0 {
		return nil, fmt.Errorf("%d encrypted bytes are no whole blocks", len(data))
	}
	b, err := triple(c.enc)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(b, make([]byte, des.BlockSize)).CryptBlocks(plain, data)
	n := int(plain[0])
	if n+1 > len(plain) {
		return nil, errors.New("the length in front of decrypted data is beyond them")
	}
	return plain[1 : n+1], nil
}
