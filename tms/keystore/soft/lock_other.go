//go:build !unix

package soft

import (
	"errors"
	"fmt"
	"os"
)

// checkModes tells that file modes say nothing about who may read a file.
const checkModes = false

// ErrLocked tells that another process changes the keystore, or died while it did: then the lock
// file is to be removed by hand.
var ErrLocked = errors.New("keystore is locked by another process")

// lock creates the lock file and gives the function that removes it. It does not wait.
func lock(path string) (func(), error) {
	name := path + ".lock"
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%w: %s exists", ErrLocked, name)
	}
	if err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	return func() {
		_ = f.Close()
		_ = os.Remove(name)
	}, nil
}

// syncDir does nothing where directories can not be synced.
func syncDir(string) error { return nil }
