// Package profile owns certificate profiles: files that say what a certificate is made of, and how
// a request and a profile become names and extensions.
//
// It must not know which CA issues, what is on record, or how a request came. It signs nothing but
// certificates of throw-away keys, to try out profiles before they are used.
package profile

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
)

//go:embed defaults
var defaults embed.FS

// maxProfiles bounds the profiles of a directory.
const maxProfiles = 500

// ErrProfile is wrapped by every error about a profile file.
var ErrProfile = errors.New("bad profile")

// ErrRequest is wrapped by every error about a request that a profile can not serve.
var ErrRequest = errors.New("request does not suit the profile")

// Set is the profiles of a CA by their ids.
type Set map[string]*Profile

// Defaults gives the profiles that come with the program.
func Defaults() (Set, error) {
	dir, err := fs.Sub(defaults, "defaults")
	if err != nil {
		return nil, err
	}
	return read(dir, "defaults")
}

// Load gives the profiles that come with the program and those of a directory, of which one of the
// same id takes a default's place. A directory that is not there holds none.
func Load(dir string) (Set, error) {
	set, err := Defaults()
	if err != nil {
		return nil, err
	}
	own, err := read(os.DirFS(dir), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return set, nil
	}
	if err != nil {
		return nil, err
	}
	maps.Copy(set, own)
	return set, nil
}

// read reads all NAME.cfg of a directory.
func read(dir fs.FS, name string) (Set, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, fmt.Errorf("reading profiles: %w", err)
	}
	out := Set{}
	var errs []error
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".cfg")
		if !ok || e.IsDir() {
			continue
		}
		if len(out) == maxProfiles {
			return nil, fmt.Errorf("%w: more than %d in %s", ErrProfile, maxProfiles, name)
		}
		f, err := dir.Open(e.Name())
		if err != nil {
			return nil, fmt.Errorf("reading profiles: %w", err)
		}
		file, err := conf.ReadFrom(filepath.Join(name, e.Name()), f)
		_ = f.Close()
		if err == nil {
			out[id], err = New(id, file)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return out, nil
}

// WriteDefaults writes the profiles that come with the program, and what their keys mean, into dir,
// leaving files that are there alone.
func WriteDefaults(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return fs.WalkDir(defaults, "defaults", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := defaults.ReadFile(path)
		if err != nil {
			return err
		}
		name := filepath.Join(dir, d.Name())
		const readable = 0o644 // a profile holds no secret
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, readable)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = f.Write(text)
		return errors.Join(err, f.Close())
	})
}

// IDs gives the ids of a set in order.
func (s Set) IDs() []string { return slices.Sorted(maps.Keys(s)) }

// Input is what a request brings to a profile.
type Input struct {
	UserID, TokenType, Subject string
	CUID                       string // as text, "" for no token
	SANPatterns                []string
	Attributes                 map[string]string // by lower-case name
	PublicKey                  []byte            // DER SubjectPublicKeyInfo
}

// InputOf gives what a TPS's request brings.
func InputOf(r connector.EnrollRequest) Input {
	in := Input{UserID: r.UserID, TokenType: r.TokenType, Subject: r.Subject,
		SANPatterns: r.SANPatterns, Attributes: r.Attributes, PublicKey: r.PublicKey}
	if r.CUID != [10]byte{} {
		in.CUID = connector.CUIDText(r.CUID)
	}
	return in
}
