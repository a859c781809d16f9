package cardprofile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Schema is the version of the written form.
const Schema = 1

// Bounds of a profile that is read: profiles come from other people's files.
const (
	maxSize    = 16 << 20 // bytes
	maxEntries = 4096     // fields, operations
	maxSamples = 100000   // of one operation
)

// Profile describes one card.
type Profile struct {
	Schema int `json:"schema"`
	// Tool and Taken say what took the profile, and when (RFC 3339).
	Tool  string `json:"tool"`
	Taken string `json:"taken"`
	// Reader and Protocol are what times were measured through. Times of another reader or protocol
	// are not compared.
	Reader   string `json:"reader"`
	Protocol string `json:"protocol"`
	// Fields are what the card says and can do, by name: parts separated by dots, as "cplc.IC type".
	// Values are hex or decimal, or "yes".
	Fields map[string]string `json:"fields"`
	// Times are samples in microseconds, by operation: "apdu.GET DATA", "crypto.RSA-2048 sign".
	Times map[string][]int64 `json:"times,omitempty"`
}

// ErrProfile is a file that is no profile.
var ErrProfile = errors.New("not a card profile")

// Read reads a profile and holds it against its bounds.
func Read(r io.Reader) (Profile, error) {
	var p Profile
	b, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return p, err
	}
	if len(b) > maxSize {
		return p, fmt.Errorf("%w: over %d bytes", ErrProfile, maxSize)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, fmt.Errorf("%w: %w", ErrProfile, err)
	}
	if d.More() {
		return p, fmt.Errorf("%w: something follows it", ErrProfile)
	}
	return p, p.check()
}

func (p Profile) check() error {
	switch {
	case p.Schema != Schema:
		return fmt.Errorf("%w: schema %d, this is for %d", ErrProfile, p.Schema, Schema)
	case len(p.Fields) == 0:
		return fmt.Errorf("%w: it says nothing", ErrProfile)
	case len(p.Fields) > maxEntries || len(p.Times) > maxEntries:
		return fmt.Errorf("%w: more than %d entries", ErrProfile, maxEntries)
	}
	for name, samples := range p.Times {
		if len(samples) > maxSamples {
			return fmt.Errorf("%w: %.80q has more than %d samples", ErrProfile, name, maxSamples)
		}
		for _, s := range samples {
			if s < 0 {
				return fmt.Errorf("%w: %.80q took less than no time", ErrProfile, name)
			}
		}
	}
	return nil
}

// Write writes the profile. Equal profiles are written as equal bytes.
func (p Profile) Write(w io.Writer) error {
	p.Schema = Schema
	if err := p.check(); err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(p)
}

// Quantiles of samples in microseconds.
type Quantiles struct {
	N                  int
	P50, P95, P99, Max int64
}

// Quantiles gives those of one operation, the zero value without samples.
func (p Profile) Quantiles(operation string) Quantiles { return QuantilesOf(p.Times[operation]) }

// QuantilesOf gives the quantiles of samples, which stay as they are (nearest rank).
func QuantilesOf(samples []int64) Quantiles {
	n := len(samples)
	if n == 0 {
		return Quantiles{}
	}
	s := slices.Sorted(slices.Values(samples))
	at := func(percent int) int64 { return s[max((n*percent+99)/100, 1)-1] }
	return Quantiles{N: n, P50: at(50), P95: at(95), P99: at(99), Max: s[n-1]}
}

// names are the fields or operations of either profile, sorted.
func names[V any](a, b map[string]V) []string {
	all := map[string]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	out := make([]string, 0, len(all))
	for k := range all {
		out = append(out, k)
	}
	slices.SortFunc(out, strings.Compare)
	return out
}
