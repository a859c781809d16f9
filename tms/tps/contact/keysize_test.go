package contact

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/perso"
)

func TestKeySizeAsTheCardListsIt(t *testing.T) {
	element := func(kvn keys.KVN, typ gp.KeyType, bytes uint16) gp.KeyElement {
		return gp.KeyElement{KeyID: 1, KVN: kvn, Components: []gp.KeyComponent{{Type: typ, Len: bytes}}}
	}
	facts := perso.Facts{Keys: gp.KeyInformationTemplate{Keys: []gp.KeyElement{
		element(0x70, 0xA1, 256), element(1, gp.KeyDES, 16), element(2, gp.KeyAES, 32),
	}}}
	require.Equal(t, 128, symKeySize(facts, 0))
	require.Equal(t, 256, symKeySize(facts, 2))
	require.Zero(t, symKeySize(facts, 3))
	require.Zero(t, symKeySize(perso.Facts{}, 0))
}
