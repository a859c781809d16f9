package program

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnswersShown(t *testing.T) {
	got, err := answersShown(`3b:98:11
COOLKEY
Sending: 80 CA 9F 7F 00 
Received (SW1=0x90, SW2=0x00):
41 42 43 44 45 46 47 48 49 4A 4B 4C 4D 4E 4F 20 ABCDEFGHIJKLMNO 
42 20                                           B 
Sending: 80 CA 00 66 00 
Received (SW1=0x6A, SW2=0x88)
`)
	require.NoError(t, err)
	assert.Equal(t, [][]byte{append([]byte("ABCDEFGHIJKLMNO B "), 0x90, 0x00), {0x6A, 0x88}}, got)
}

func TestEventsOf(t *testing.T) {
	const output = ` Reader 0: Virtual Reader 0 00 00
  Event number: 0
  Card state: Card removed, 
 Reader 1: Virtual Reader 0 00 01
  Event number: 1
  Card state: Card inserted, 
  ATR: 3B 98 11
 - 
 Reader 1: Virtual Reader 0 00 01
  Event number: 1
  Card state: Card inserted, Shared Mode, 
  ATR: 3B 98 11
 Reader 1: Virtual Reader 0 00 01
  Event number: 2
  Card state: Card removed, 
`
	assert.Equal(t, []string{"Card inserted", "Card removed"}, eventsOf(output, "Virtual Reader 0 00 01"))
	assert.Equal(t, []string{"Card removed"}, eventsOf(output, "Virtual Reader 0 00 00"))
	assert.Empty(t, eventsOf(output, "another"))
}
