//go:build !pcsc || !cgo

package pcsc

import (
	"context"
	"fmt"
)

var errStub = fmt.Errorf("%w: rebuild with the tag pcsc, CGO_ENABLED=1, a C compiler, pkg-config "+
	"and libpcsclite-dev (Debian: apt install gcc pkg-config libpcsclite-dev)", ErrUnavailable)

// Card is a card in a reader; this binary can't open any.
type Card struct{}

// Available returns an error that says what is missing.
func Available() error { return errStub }

// Readers returns the error of Available.
func Readers() ([]string, error) { return nil, errStub }

// States returns the error of Available.
func States() ([]ReaderState, error) { return nil, errStub }

// WaitChange returns the error of Available.
func WaitChange(context.Context, []ReaderState) ([]ReaderState, error) { return nil, errStub }

// Open returns the error of Available.
func Open(context.Context, string) (*Card, error) { return nil, errStub }

// OpenWith returns the error of Available.
func OpenWith(context.Context, string, Options) (*Card, error) { return nil, errStub }

// Reader returns nothing.
func (*Card) Reader() string { return "" }

// ATR returns nothing.
func (*Card) ATR() []byte { return nil }

// Protocol returns nothing.
func (*Card) Protocol() Protocol { return 0 }

// Transmit returns the error of Available.
func (*Card) Transmit(context.Context, []byte) ([]byte, error) { return nil, errStub }

// Reset returns the error of Available.
func (*Card) Reset(context.Context) error { return errStub }

// PowerCycle returns the error of Available.
func (*Card) PowerCycle(context.Context) error { return errStub }

// Close does nothing.
func (*Card) Close() error { return nil }
