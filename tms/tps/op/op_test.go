package op

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/tps/contact"
)

func TestFailpointsAreNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range slices.Concat(Failpoints(), EnrollFailpoints(), PINResetFailpoints()) {
		assert.False(t, seen[name])
		seen[name] = true
	}
	e := &contact.Env{Failpoint: func(name string) error { return errors.New(name) }}
	require.ErrorIs(t, e.At(FailFinish), contact.ErrKilled)
	require.NoError(t, (&contact.Env{}).At(FailFinish))
}
