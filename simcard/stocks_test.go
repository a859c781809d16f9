package simcard_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard/stock"
	"tokenwright/tms/gp/apdu"
)

// Every stock opens a channel with its factory keys at each level, changes keys, and reverts.
func TestStocksOpenChannelsAndChangeKeys(t *testing.T) {
	for _, s := range stock.All() {
		t.Run(s.Name, func(t *testing.T) {
			c := newCard(t, s.Name)
			for _, level := range []int{0, 1, 3} {
				h := channel(t, c, s.Keys.KVN, scpLevel(level))
				require.Equal(t, "9000", sw(h.hex("80F28002024F0000")))
			}
			old := s.Keys.KVN
			if old == 0xFF {
				old = 0
			}
			h := channel(t, c, s.Keys.KVN, 3)
			cmd := h.putKeys(old, 2)
			resp := h.send(cmd)
			require.NoError(t, resp.Err())
			set := keySet(t, c, 2)
			kcv := set.ENC.KCV()
			require.Equal(t, append([]byte{2}, kcv[:]...), resp.Data[:4])
			require.Len(t, resp.Data, 10)
			require.Equal(t, "6A88", send(t, c, "8050"+s.Keys.KVN.String()+"0008000000000000000000"))
			channel(t, c, 2, 3)

			require.NoError(t, c.PowerOn())
			h = channel(t, c, 2, 1)
			require.NoError(t, h.send(h.putKeys(2, 3)).Err())
			require.Equal(t, "6A88", send(t, c, "805002000800000000000000 0000"))
			h = channel(t, c, 3, 1)
			require.Equal(t, apdu.SW6A88, h.send(h.putKeys(9, 4)).SW, "no version 9 to replace")
		})
	}
}
