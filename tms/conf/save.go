package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ReadFile reads and parses the file at path. A file larger than MaxFileSize is refused
// without being read whole.
func ReadFile(path string) (*File, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	defer func() { _ = r.Close() }()
	return ReadFrom(path, r)
}

// ReadFrom parses what r holds; name stands in errors.
func ReadFrom(name string, r io.Reader) (*File, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading configuration %s: %w", name, err)
	}
	return Parse(name, text)
}

// WriteFile replaces the file at path with f, or creates it with mode 0600 since it may name
// keys and passwords. A reader sees the old file or the new one, also after a power cut; the
// mode of a file that was there is kept. A symbolic link at path is followed, so that the file
// behind it is replaced and the link stays.
func (f *File) WriteFile(path string) error {
	if err := replace(path, f.Bytes()); err != nil {
		return fmt.Errorf("writing configuration: %w", err)
	}
	return nil
}

func replace(path string, text []byte) (err error) {
	mode := fs.FileMode(0o600)
	switch target, linkErr := filepath.EvalSymlinks(path); {
	case linkErr == nil:
		path = target
		info, statErr := os.Stat(path)
		if statErr != nil {
			return statErr
		}
		mode = info.Mode().Perm()
	case !errors.Is(linkErr, fs.ErrNotExist):
		return linkErr
	}
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	if err = tmp.Chmod(mode); err != nil {
		return err
	}
	if _, err = tmp.Write(text); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the rename itself durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
