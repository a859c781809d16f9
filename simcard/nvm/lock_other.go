//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package nvm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// lockFile makes a file that must not exist. A process that is killed leaves it behind, for its
// owner to remove.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w (remove %s if no card is running)", ErrLocked, path)
	}
	return f, err
}

func unlockFile(f *os.File) {
	_ = f.Close()
	_ = os.Remove(f.Name())
}
