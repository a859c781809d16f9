package seal

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The files that a seal is made of, beside those that it seals.
const (
	SumsFile      = "SHA256SUMS"
	SignatureFile = "SHA256SUMS.sig"
)

// Bounds: a seal comes from whoever hands over a report.
const (
	maxSums      = 1 << 20 // bytes
	maxSignature = 1 << 14
)

// Errors of Verify.
var (
	// ErrSignature: the sums were not signed by the key.
	ErrSignature = errors.New("the signature is not the key's over these sums")
	// ErrChanged: a sealed file is not what was signed, or is missing.
	ErrChanged = errors.New("not what was signed")
	// ErrForm: the sums are no such file, or name a file elsewhere.
	ErrForm = errors.New("not a list of sums")
)

// Sign seals files of a folder, named without their path: it writes their sums and the signature. The
// signature comes last and whole, so that a folder with one has all of it.
func Sign(dir string, files []string, key crypto.Signer) error {
	if len(files) == 0 {
		return errors.New("nothing to seal")
	}
	var sums bytes.Buffer
	for _, name := range slices.Sorted(slices.Values(files)) {
		if err := checkName(name); err != nil {
			return err
		}
		sum, err := sumOf(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sum, name)
	}
	signature, err := sign(key, sums.Bytes())
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, SumsFile), sums.Bytes(), 0o600); err != nil {
		return err
	}
	part := filepath.Join(dir, SignatureFile+".part")
	if err := os.WriteFile(part, signature, 0o600); err != nil {
		return err
	}
	return os.Rename(part, filepath.Join(dir, SignatureFile))
}

// Verify checks the signature and every sealed file, and lists the files. What else lies in the folder
// is not sealed, and not listed.
func Verify(dir string, key crypto.PublicKey) ([]string, error) {
	sums, err := read(filepath.Join(dir, SumsFile), maxSums)
	if err != nil {
		return nil, err
	}
	signature, err := read(filepath.Join(dir, SignatureFile), maxSignature)
	if err != nil {
		return nil, err
	}
	if err := verify(key, sums, signature); err != nil {
		return nil, err
	}
	var files []string
	lines := bufio.NewScanner(bytes.NewReader(sums))
	for lines.Scan() {
		name, want, err := parse(lines.Text())
		if err != nil {
			return nil, err
		}
		got, err := sumOf(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", name, ErrChanged, err)
		}
		if subtle.ConstantTimeCompare(got, want) != 1 {
			return nil, fmt.Errorf("%s: %w", name, ErrChanged)
		}
		files = append(files, name)
	}
	if err := lines.Err(); err != nil || len(files) == 0 {
		return nil, errors.Join(ErrForm, err)
	}
	return files, nil
}

func parse(line string) (name string, sum []byte, err error) {
	text, name, ok := strings.Cut(line, "  ")
	if !ok {
		return "", nil, fmt.Errorf("%w: %.100q", ErrForm, line)
	}
	sum, err = hex.DecodeString(text)
	if err != nil || len(sum) != sha256.Size {
		return "", nil, fmt.Errorf("%w: %.100q", ErrForm, line)
	}
	return name, sum, checkName(name)
}

// checkName takes names of files in the folder itself.
func checkName(name string) error {
	if name != filepath.Base(name) || !filepath.IsLocal(name) || name == "." ||
		strings.ContainsAny(name, "\\\n\r\x00") || name == SumsFile || name == SignatureFile {
		return fmt.Errorf("%w: %.100q is no file of the report", ErrForm, name)
	}
	return nil
}

func sumOf(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

func read(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s: over %d bytes", filepath.Base(path), most)
	}
	return b, err
}

func sign(key crypto.Signer, message []byte) ([]byte, error) {
	if _, ok := key.Public().(ed25519.PublicKey); ok {
		return key.Sign(nil, message, crypto.Hash(0))
	}
	digest := sha256.Sum256(message)
	return key.Sign(rand.Reader, digest[:], crypto.SHA256)
}

func verify(key crypto.PublicKey, message, signature []byte) error {
	digest := sha256.Sum256(message)
	ok := false
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(k, digest[:], signature)
	case *rsa.PublicKey:
		if k.N.BitLen() < leastRSA {
			return fmt.Errorf("%w: RSA key of %d bits, at least %d", ErrSignature, k.N.BitLen(), leastRSA)
		}
		ok = rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], signature) == nil
	case ed25519.PublicKey:
		ok = ed25519.Verify(k, message, signature)
	default:
		return fmt.Errorf("%w: keys of type %T are not used for reports", ErrSignature, key)
	}
	if !ok {
		return ErrSignature
	}
	return nil
}
