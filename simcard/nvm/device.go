package nvm

import "slices"

// MaxImage bounds a device's content in bytes, whatever it holds.
const MaxImage = 16 << 20

// Device is where the bytes live. A Device is used by one Memory at a time.
type Device interface {
	// Load gives the whole content. It fails with ErrTooLarge past MaxImage.
	Load() ([]byte, error)
	// Append writes p behind the content.
	Append(p []byte) error
	// Truncate drops what lies at offset n and behind it.
	Truncate(n int64) error
	// Replace swaps the whole content for image, atomically.
	Replace(image []byte) error
	// Close gives the device back.
	Close() error
}

// RAM is a Device in memory: a chip that tests can put into one card after another. The zero value
// is an empty chip. It is not safe for concurrent use.
type RAM struct {
	image []byte
}

// NewRAM makes a chip that holds a copy of image; nil is an empty chip.
func NewRAM(image []byte) *RAM { return &RAM{image: slices.Clone(image)} }

// Image gives a copy of the content.
func (r *RAM) Image() []byte { return slices.Clone(r.image) }

// Load implements Device.
func (r *RAM) Load() ([]byte, error) {
	if len(r.image) > MaxImage {
		return nil, ErrTooLarge
	}
	return slices.Clone(r.image), nil
}

// Append implements Device.
func (r *RAM) Append(p []byte) error {
	r.image = append(r.image, p...)
	return nil
}

// Truncate implements Device.
func (r *RAM) Truncate(n int64) error {
	if n < int64(len(r.image)) {
		r.image = r.image[:n]
	}
	return nil
}

// Replace implements Device. The room of the content before is used again.
func (r *RAM) Replace(image []byte) error {
	r.image = append(r.image[:0], image...)
	return nil
}

// Close implements Device. The content stays.
func (r *RAM) Close() error { return nil }
