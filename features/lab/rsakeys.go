package lab

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strconv"
)

// stockBits is the size of the keys of a keyStock in bits, stockKeys how many are made for one.
const (
	stockBits = 2048
	stockKeys = 24
)

// keyStock gives RSA keys without the work of making them: each is of two of a few primes, no two of the
// same. Whoever knows one key knows others: they are good for nothing but tests in which many keys have
// to differ. It is a file of primes, and one beside it that counts, so that a process that was killed is
// not followed by one that gives the same keys again.
type keyStock struct{ path string }

var publicExponent = big.NewInt(65537)

// make makes the file.
func (s keyStock) make() error {
	var primes [][]byte
	for range stockKeys {
		k, err := rsa.GenerateKey(rand.Reader, stockBits)
		if err != nil {
			return err
		}
		primes = append(primes, k.Primes[0].Bytes(), k.Primes[1].Bytes())
	}
	text, err := json.Marshal(primes)
	if err != nil {
		return err
	}
	return os.WriteFile(s.path, text, 0o600)
}

// next gives a key that was not given before.
func (s keyStock) next(bits int) (*rsa.PrivateKey, error) {
	if bits != stockBits {
		return rsa.GenerateKey(rand.Reader, bits)
	}
	n, err := s.count()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(s.path)
	if err != nil {
		return nil, err
	}
	var primes [][]byte
	if err := json.Unmarshal(text, &primes); err != nil {
		return nil, err
	}
	for i := range primes {
		if n < i {
			return stockKey(primes[i], primes[n])
		}
		n -= i
	}
	return nil, errors.New("the stock of keys is used up")
}

// count counts up, and gives what it was.
func (s keyStock) count() (int, error) {
	path, n := s.path+".next", 0
	text, err := os.ReadFile(path)
	if err == nil {
		n, err = strconv.Atoi(string(text))
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	return n, os.WriteFile(path, []byte(strconv.Itoa(n+1)), 0o600)
}

func stockKey(first, second []byte) (*rsa.PrivateKey, error) {
	p, q, one := new(big.Int).SetBytes(first), new(big.Int).SetBytes(second), big.NewInt(1)
	k := &rsa.PrivateKey{Primes: []*big.Int{p, q}}
	k.N, k.E = new(big.Int).Mul(p, q), int(publicExponent.Int64())
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	k.D = new(big.Int).ModInverse(publicExponent, phi)
	if k.D == nil {
		return nil, errors.New("a prime of the stock does not go with the exponent")
	}
	k.Precompute()
	if err := k.Validate(); err != nil {
		return nil, fmt.Errorf("key of the stock: %w", err)
	}
	return k, nil
}
