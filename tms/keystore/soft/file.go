package soft

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// readFile reads a whole keystore file, bounded, and only if it is a plain file that nobody but
// its owner can open.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %v", ErrFormat, info.Mode())
	}
	if checkModes && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: mode %04o, want 0600", ErrPermissions, info.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, ErrTooLarge
	}
	return b, nil
}

// write replaces the file by one that holds entries, and remembers its header. The old file stays
// whole until the new one is on disk.
func (s *Store) write(entries map[string]*entry) error {
	b, err := seal(s.aead, s.head, s.random, entries)
	if err != nil {
		return err
	}
	h, _, _, err := split(b)
	if err != nil {
		return err
	}
	dir := filepath.Dir(s.path)
	f, err := os.CreateTemp(dir, filepath.Base(s.path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := syncDir(dir); err != nil {
		return err // the new file is in place; the old header makes the next call read it
	}
	s.head = h
	return nil
}
