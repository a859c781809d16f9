package instance

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Names of subsystems, of their directories, and of their configurations' defaults.
const (
	TKS = "tks"
	TPS = "tps"
)

// Names inside an instance's directory. Paths of a CS.cfg may say otherwise for all but CS.cfg
// and certs.
const (
	caDir           = "ca"
	certsDir        = "certs"
	configFile      = "CS.cfg"
	keystoreFile    = "keystore"
	passphraseFile  = "keystore.passphrase"
	databaseFile    = "tokens.db"
	phoneHomeFile   = "phoneHome.xml"
	appletsDir      = "applets"
	serverNickname  = "serverCert"
	clientNickname  = "subsystemCert"
	maxSecretFile   = 64 << 10
	dirMode         = fs.FileMode(0o700)
	secretMode      = fs.FileMode(0o600)
	publicMode      = fs.FileMode(0o644)
	trustAnchorName = "ca"
)

// ErrExists means that Init was pointed at a place where something is already.
var ErrExists = errors.New("exists and is not empty")

// ErrNoInstance means that Open was pointed at a directory that holds no instance.
var ErrNoInstance = errors.New("holds no instance")

// Subsystems answers which subsystems an instance's directory holds, in the order in which they
// start.
func Subsystems(dir string) ([]string, error) {
	names := []string{TKS}
	cas, err := filepath.Glob(filepath.Join(dir, CA+"[0-9]*"))
	if err != nil {
		return nil, fmt.Errorf("instance %s: %w", dir, err)
	}
	for _, path := range cas { // sorted
		if name := filepath.Base(path); IsCA(name) {
			names = append(names, name)
		}
	}
	var out []string
	for _, name := range append(names, KRA, OCSP, TPS) {
		_, err := os.Stat(filepath.Join(dir, name, configFile))
		switch {
		case err == nil:
			out = append(out, name)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("instance %s: %w", dir, err)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: %w: neither %s nor %s is there", dir, ErrNoInstance,
			filepath.Join(TKS, configFile), filepath.Join(TPS, configFile))
	}
	return out, nil
}

// under gives a path of a configuration: as it is when absolute, else below dir.
func under(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// ownerOnly fails for a file that anybody but its owner can get at.
func ownerOnly(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s: mode is %04o, want 0600: others can get at it", path,
			info.Mode().Perm())
	}
	if info.Size() > maxSecretFile {
		return fmt.Errorf("%s: more than %d bytes", path, maxSecretFile)
	}
	return nil
}

// readPassphrase reads a passphrase file: its first line, without the line's end. A file that
// others than its owner can get at is refused.
func readPassphrase(path string) ([]byte, error) {
	if err := ownerOnly(path); err != nil {
		return nil, fmt.Errorf("passphrase: %w", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("passphrase: %w", err)
	}
	line, rest, _ := bytes.Cut(b, []byte{'\n'})
	clear(rest)
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if len(line) == 0 {
		return nil, fmt.Errorf("passphrase: %s is empty", path)
	}
	return line, nil
}
