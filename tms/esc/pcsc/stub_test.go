//go:build !pcsc || !cgo

package pcsc

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStubNamesWhatIsMissing(t *testing.T) {
	_, readers := Readers()
	_, states := States()
	_, change := WaitChange(t.Context(), nil)
	_, open := Open(t.Context(), "")
	_, openWith := OpenWith(t.Context(), "", Options{})
	_, transmit := new(Card).Transmit(t.Context(), nil)
	for _, err := range []error{
		Available(), readers, states, change, open, openWith, transmit,
		new(Card).Reset(t.Context()), new(Card).PowerCycle(t.Context()),
	} {
		require.ErrorIs(t, err, ErrUnavailable)
		for _, word := range []string{"tag pcsc", "CGO_ENABLED=1", "C compiler", "libpcsclite-dev"} {
			assert.ErrorContains(t, err, word)
		}
	}
	assert.NoError(t, new(Card).Close())
}
