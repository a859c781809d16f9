package certify

import (
	"bufio"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"tokenwright/features/steps/bench"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
)

// maxKeyFile bounds a file of keys, in bytes.
const maxKeyFile = 4096

// keyFile is a file of keys as it was read. It holds secrets and is never printed.
type keyFile struct {
	kvn       keys.KVN
	algorithm keys.Algorithm
	method    kdf.Method
	kcv       []byte
	values    map[string][]byte
}

// ReadKeys reads a card's keys, or the master keys that they come from: one "name value" a line, as
// the help of cardcert says. Errors name lines and never hold values.
func ReadKeys(in io.Reader) (bench.KeySource, error) {
	f := keyFile{algorithm: keys.DES3, method: kdf.None, values: map[string][]byte{}}
	lines := bufio.NewScanner(io.LimitReader(in, maxKeyFile))
	for n := 1; lines.Scan(); n++ {
		name, value, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if name == "" || strings.HasPrefix(name, "#") {
			continue
		}
		if err := f.set(strings.ToLower(name), strings.TrimSpace(value)); err != nil {
			return bench.KeySource{}, fmt.Errorf("keys, line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return bench.KeySource{}, fmt.Errorf("keys: %w", err)
	}
	masters, err := f.masters()
	if err != nil {
		return bench.KeySource{}, fmt.Errorf("keys: %w", err)
	}
	return bench.KeySource{KVN: f.kvn, Set: func(kdd keys.KDD) (keys.KeySet, error) {
		if f.method == kdf.None {
			return masters, nil
		}
		return kdf.DiversifySetInput(f.method, masters, kdf.Input{KDD: kdd, Out: f.algorithm})
	}}, nil
}

func (f *keyFile) set(name, value string) error {
	var err error
	switch name {
	case "kvn":
		var v byte
		if _, err = fmt.Sscanf(value, "%X", &v); err != nil {
			return errors.New("want a key version of two hex digits")
		}
		f.kvn = keys.KVN(v)
	case "algorithm":
		switch strings.ToLower(value) {
		case "3des", "des3":
			f.algorithm = keys.DES3
		case "aes":
			f.algorithm = keys.AES
		default:
			return errors.New("want the algorithm 3des or aes")
		}
	case "diversify":
		f.method, err = kdf.ParseMethod(value)
	case "kcv":
		if f.kcv, err = hex.DecodeString(value); err != nil || len(f.kcv) != 3 {
			return errors.New("want a check value of three bytes in hex")
		}
	case "master", "enc", "mac", "dek":
		b, err := hex.DecodeString(strings.ReplaceAll(value, " ", ""))
		if err != nil || len(b) < 16 || len(b) > 32 {
			return fmt.Errorf("want a key of 16 to 32 bytes in hex behind %s", name)
		}
		f.values[name] = b
	default:
		return errors.New("unknown name")
	}
	return err
}

// masters gives the three keys, and holds the first against the check value.
func (f *keyFile) masters() (keys.KeySet, error) {
	algorithm := f.algorithm
	if f.method == kdf.EMV || f.method == kdf.VISA2 {
		algorithm = keys.DES3
	}
	set := keys.KeySet{KVN: f.kvn}
	for name, to := range map[string]*keys.Key{"enc": &set.ENC, "mac": &set.MAC, "dek": &set.DEK} {
		b := f.values[name]
		if b == nil {
			b = f.values["master"]
		}
		if b == nil {
			return keys.KeySet{}, fmt.Errorf("no %s key and no master key", strings.ToUpper(name))
		}
		k, err := keys.New(algorithm, b)
		if err != nil {
			return keys.KeySet{}, fmt.Errorf("%s key: %w", strings.ToUpper(name), err)
		}
		*to = k
	}
	kcv := set.ENC.KCV()
	if f.kcv != nil && subtle.ConstantTimeCompare(kcv[:], f.kcv) != 1 {
		return keys.KeySet{}, errors.New("the check value is that of another key")
	}
	return set, nil
}
