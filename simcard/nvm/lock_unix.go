//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package nvm

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes an advisory lock that goes away with the process, however it ends. The file itself
// stays: removing it would let two processes lock two files of one name.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, err
	}
	return f, nil
}

func unlockFile(f *os.File) { _ = f.Close() }
