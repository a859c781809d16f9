package gp

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Bounds on a CAP archive.
const (
	maxArchiveEntries = 512
	maxComponent      = 0xFFFF + componentHead
)

// capNames are the files of a CAP archive in the order in which a card takes them (JCVM §6.2.1).
// The debug component is for hosts and not loaded.
var capNames = []string{
	"Header.cap", "Directory.cap", "Import.cap", "Applet.cap", "Class.cap", "Method.cap",
	"StaticField.cap", "Export.cap", "ConstantPool.cap", "RefLocation.cap",
	"StaticResources.cap", "Descriptor.cap",
}

func isZip(b []byte) bool { return bytes.HasPrefix(b, []byte("PK\x03\x04")) }

// parseCAP reads a CAP archive: the component files of one package, under a javacard directory.
// However much the archive claims to hold, no more than MaxLoadFile bytes are decompressed.
func parseCAP(b []byte) (LoadFile, error) {
	if len(b) > 2*MaxLoadFile {
		return LoadFile{}, fmt.Errorf("%w: archive of %d bytes", ErrLoadTooLarge, len(b))
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return LoadFile{}, fmt.Errorf("%w: %w", ErrLoadFile, err)
	}
	if len(z.File) > maxArchiveEntries {
		return LoadFile{}, fmt.Errorf("%w: archive of %d entries", ErrLoadFile, len(z.File))
	}
	files, err := capEntries(z.File)
	if err != nil {
		return LoadFile{}, err
	}
	var all []byte
	for _, name := range capNames {
		entry, ok := files[name]
		if !ok {
			continue
		}
		data, err := readEntry(entry)
		if err != nil {
			return LoadFile{}, err
		}
		if len(all)+len(data) > MaxLoadFile {
			return LoadFile{}, fmt.Errorf("%w: more than %d bytes", ErrLoadTooLarge, MaxLoadFile)
		}
		all = append(all, data...)
	}
	return ParseComponents(all)
}

// capEntries finds the component files by name and refuses an archive with two packages.
func capEntries(entries []*zip.File) (map[string]*zip.File, error) {
	files := make(map[string]*zip.File)
	for _, e := range entries {
		dir, name := path.Split(e.Name)
		if !strings.HasSuffix(dir, "javacard/") || !strings.HasSuffix(name, ".cap") {
			continue
		}
		if other, ok := files[name]; ok {
			return nil, fmt.Errorf("%w: archive holds %q and %q", ErrLoadFile, other.Name, e.Name)
		}
		files[name] = e
	}
	return files, nil
}

// readEntry decompresses one component and checks that it is exactly one.
func readEntry(e *zip.File) ([]byte, error) {
	r, err := e.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrLoadFile, e.Name, err)
	}
	defer func() { _ = r.Close() }()
	data, err := io.ReadAll(io.LimitReader(r, maxComponent+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrLoadFile, e.Name, err)
	}
	if len(data) > maxComponent {
		return nil, fmt.Errorf("%w: %q: more than %d bytes", ErrLoadTooLarge, e.Name, maxComponent)
	}
	if _, rest, err := splitComponent(data); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("%w: %q is not one component", ErrLoadFile, e.Name)
	}
	return data, nil
}
