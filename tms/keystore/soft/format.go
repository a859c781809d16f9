package soft

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/argon2"
)

const (
	magic     = "tokenwright keystore 1\n"
	kdfName   = "argon2id"
	saltLen   = 16
	nonceLen  = 12
	keyLen    = 32
	maxHeader = 1024
	maxFile   = 8 << 20
)

// Errors of the file.
var (
	ErrPassphrase  = errors.New("wrong passphrase, or the keystore file was changed")
	ErrFormat      = errors.New("not a keystore file")
	ErrParameters  = errors.New("keystore file asks for key derivation parameters out of bounds")
	ErrTooLarge    = errors.New("keystore file is too large")
	ErrChanged     = errors.New("keystore file was replaced under another passphrase or salt")
	ErrPermissions = errors.New("keystore file is open to others")
)

// Cost is the effort of argon2id. Opening a file takes the cost that the file states, within
// bounds: an attacker who can write the file can not make the reader take all memory.
type Cost struct {
	Time    uint32 `json:"time"`    // Passes, 1 to 32.
	Memory  uint32 `json:"memory"`  // KiB, 8 MiB to 1 GiB.
	Threads uint8  `json:"threads"` // 1 to 16.
}

// DefaultCost is RFC 9106's second recommendation.
var DefaultCost = Cost{Time: 3, Memory: 64 << 10, Threads: 4}

func (c Cost) check() error {
	if c.Time < 1 || c.Time > 32 || c.Memory < 8<<10 || c.Memory > 1<<20 ||
		c.Threads < 1 || c.Threads > 16 {
		return fmt.Errorf("%w: %d passes, %d KiB, %d threads", ErrParameters, c.Time, c.Memory, c.Threads)
	}
	return nil
}

// header is the second line of the file.
type header struct {
	KDF   string `json:"kdf"`
	Cost  Cost   `json:"cost"`
	Salt  []byte `json:"salt"`
	Nonce []byte `json:"nonce"`
}

func (h header) check() error {
	if h.KDF != kdfName || len(h.Salt) != saltLen || len(h.Nonce) != nonceLen {
		return fmt.Errorf("%w: key derivation %.20q, %d bytes of salt, %d of nonce",
			ErrFormat, h.KDF, len(h.Salt), len(h.Nonce))
	}
	return h.Cost.check()
}

// lines gives the clear part of the file, which is authenticated.
func (h header) lines() ([]byte, error) {
	b, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%s%s\n", magic, b), nil
}

// split reads the clear part of a file: bounded, strict, and without touching the passphrase.
// aad and sealed alias b.
func split(b []byte) (h header, aad, sealed []byte, err error) {
	if len(b) > maxFile {
		return header{}, nil, nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(b))
	}
	rest, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok {
		return header{}, nil, nil, fmt.Errorf("%w: first line", ErrFormat)
	}
	end := bytes.IndexByte(rest[:min(len(rest), maxHeader)], '\n')
	if end < 0 {
		return header{}, nil, nil, fmt.Errorf("%w: second line", ErrFormat)
	}
	if err := strictJSON(rest[:end], &h); err != nil {
		return header{}, nil, nil, fmt.Errorf("%w: second line: %w", ErrFormat, err)
	}
	if err := h.check(); err != nil {
		return header{}, nil, nil, err
	}
	at := len(magic) + end + 1
	return h, b[:at:at], b[at:], nil
}

// strictJSON refuses unknown fields and anything behind the value.
func strictJSON(b []byte, dst any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(dst); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the value")
	}
	return nil
}

// stretch derives the file key. It takes time and memory as cost says.
func stretch(passphrase, salt []byte, cost Cost) (cipher.AEAD, error) {
	k := argon2.IDKey(passphrase, salt, cost.Time, cost.Memory, cost.Threads, keyLen)
	defer clear(k)
	block, err := aes.NewCipher(k)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// open decrypts and reads the entries of a file.
func open(aead cipher.AEAD, h header, aad, sealed []byte) (map[string]*entry, error) {
	plain, err := aead.Open(nil, h.Nonce, sealed, aad)
	if err != nil {
		return nil, ErrPassphrase
	}
	defer clear(plain)
	return parseEntries(plain)
}

// seal gives the whole file under a fresh nonce.
func seal(aead cipher.AEAD, h header, random io.Reader, entries map[string]*entry) ([]byte, error) {
	h.Nonce = make([]byte, nonceLen)
	if _, err := io.ReadFull(random, h.Nonce); err != nil {
		return nil, fmt.Errorf("random nonce: %w", err)
	}
	aad, err := h.lines()
	if err != nil {
		return nil, err
	}
	plain, err := printEntries(entries)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	if len(aad)+len(plain)+aead.Overhead() > maxFile {
		return nil, fmt.Errorf("%w: %d bytes of keys", ErrTooLarge, len(plain))
	}
	return aead.Seal(aad, h.Nonce, plain, aad), nil
}
