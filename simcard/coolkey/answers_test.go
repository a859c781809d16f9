package coolkey_test

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/apdu"
)

// answers14 and answers15 are all status words that instructions of classes B0 and 84 answer, in the
// two lines. Not among them are words that the applet has and no command sequence reaches: 9C03 of
// COMPUTE CRYPT (a slot bound to a second algorithm, while there is one), 9C1A of it (a key larger than
// the platform makes), and 9C1D (a result that does not fit where its input, as long, came from).
var answers14 = answerTable(`
B0 32 9000 6700 6F00 9C03 9C05 9C06 9C07 9C0F 9C10 9C17 9C18 9C1E 9C1F 9C21 9CD0
B0 36 9000 6700 6F00 9C06 9C0B 9C10 9C11 9C13 9C14 9C16 9C17 9C19 9C1B 9C1C 9CFF
B0 37 9000 6700 6D00 6F00 9C06 9C0F 9C10 9C11 9C16 9C17 9C19
B0 38 9000 6700 6D00 6F00 9C06 9C0F 9C10 9C11 9C16 9C17 9C19
B0 3A 9000 6700 9C10 9C11
B0 3C 9000 6D00 9C10 9C11
B0 40 9000 6700 6F00 9C06 9C0F 9C10
B0 42 9000 6700 9C02 9C0C 9C10 9C11
B0 44 9000 6700 9C02 9C0C 9C0F 9C10 9C11
B0 48 9000 6700 9C10 9C11
B0 4A 9000 6700 9C10 9C11
B0 52 9000 6700 9C06 9C07 9C0F 9C10 9C11
B0 54 9000 6700 6F00 9C06 9C07 9C0F 9C10 9C11
B0 56 9000 6700 6F00 9C06 9C07 9C0F 9C10 9C11
B0 58 9000 6700 9C10 9C11 9C12
B0 5A 9000 6700 9C01 9C06 9C08 9C0F 9C10
B0 61 9000 6F00
B0 70 9000 6700
B0 71 9000
B0 72 9000
B0 73 9000
B0 F2 9000
B0 F6 9000 6700
B0 FA 9000 6700
84 04 9000 6700 9C0F 9C10 9C11
84 08 6D00
84 0A 9000 6700 6F00 9C03 9C06 9C07 9C0F 9C10 9C17 9C18 9C1A 9C1E 9C1F 9C20 9C21 9C22 9CD0
84 0C 9000 6700 6F00 9C03 9C06 9C10 9C1E 9C20
84 0D 9000 6700 6F00 9C03 9C06 9C10 9C17 9C1E 9C20
84 32 9000 6F00 9C03 9C05 9C06 9C07 9C0F 9C10 9C17 9C18 9C1E 9C1F 9C21 9CD0
84 36 9000 6700 6F00 9C06 9C0B 9C10 9C11 9C13 9C14 9C16 9C17 9C19 9C1B 9C1C 9CFF
84 37 9000 6700 6D00 6F00 9C06 9C0F 9C10 9C11 9C16 9C17 9C19
84 38 9000 6700 6D00 6F00 9C06 9C0F 9C10 9C11 9C16 9C17 9C19
84 40 9000 6F00 9C06 9C0F 9C10
84 52 9000 9C06 9C07 9C0F 9C10 9C11
84 54 9000 6F00 9C06 9C07 9C0F 9C10 9C11
84 55 9000 6F00 9C06 9C0F 9C10 9C11 9C1E
84 56 9000 6F00 9C06 9C07 9C0F 9C10 9C11
84 5A 9000 9C01 9C06 9C0F 9C10
84 F0 9000 6700 9C0F
84 F4 9000 6700
84 F8 9000 6700 9C03
`)

// answers15 differs where the line with AES does. Without plain import no key comes to be that the
// registration authority may not write, so that CLEAR KEY SLOTS always may.
var answers15 = func() map[answer]bool {
	t := answerTable(`
B0 32 9000 6700 9C06
84 0A 9000 6700 6F00 9C03 9C05 9C06 9C07 9C0F 9C10 9C17 9C18 9C1A 9C1E 9C1F 9C20 9C21 9C22 9CD0
84 0C 9000 0009 6700 6F00 9C03 9C05 9C06 9C10 9C1A 9C1E 9C20
84 0D 9000 6700 6F00 9C03 9C05 9C06 9C10 9C17 9C1A 9C1E 9C20
84 32 9000
B0 36 9000 0002 6700 6F00 9C06 9C0B 9C10 9C11 9C13 9C14 9C16 9C17 9C19 9C1B 9C1C 9CFF
84 36 9000 0002 6700 6F00 9C06 9C0B 9C10 9C11 9C13 9C14 9C16 9C17 9C19 9C1B 9C1C 9CFF
84 55 9000 6F00 9C0F 9C10 9C11 9C1E
84 78 9000 6D00
84 7A 9000 6D00
`)
	replaced := map[string]bool{}
	for a := range t {
		replaced[a.command()] = true
	}
	for a := range answers14 {
		if !replaced[a.command()] {
			t[a] = true
		}
	}
	return t
}()

func (a answer) command() string {
	class := "B0"
	if a.secure {
		class = "84"
	}
	return fmt.Sprintf("%s %02X", class, a.ins)
}

func (a answer) String() string { return fmt.Sprintf("%s %04X", a.command(), uint16(a.sw)) }

func answerTable(text string) map[answer]bool {
	out := map[answer]bool{}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		f := strings.Fields(line)
		ins, err := hex.DecodeString(f[1])
		if err != nil {
			panic(err)
		}
		for _, w := range f[2:] {
			sw, err := hex.DecodeString(w)
			if err != nil {
				panic(err)
			}
			word := apdu.SW(sw[0])<<8 | apdu.SW(sw[1])
			out[answer{f[0] == "84", ins[0], word}] = true
		}
	}
	return out
}

// known tells whether an answer is in a table, or to an instruction that the table has not.
func known(table map[answer]bool, a answer) bool {
	if table[a] {
		return true
	}
	for b := range table {
		if a.secure == b.secure && a.ins == b.ins {
			return false
		}
	}
	return a.sw == apdu.SW6D00
}

// missing lists the answers of a table that came fewer than n times.
func missing(table map[answer]bool, hits map[answer]int, n int) (out []string) {
	for a := range table {
		if hits[a] < n {
			out = append(out, a.String())
		}
	}
	slices.Sort(out)
	return out
}

// Every command is led to every status word that it answers, and to no other.
func TestEveryAnswer(t *testing.T) {
	for build, table := range map[uint32]map[answer]bool{build14: answers14, build15: answers15} {
		t.Run(fmt.Sprintf("%08x", build), func(t *testing.T) {
			hits := map[answer]int{}
			for _, lead := range leads {
				l := newLab(t, build, heap1000)
				l.want(command("84400003", userPIN), "9000")
				lead(l)
				for a, n := range l.hits {
					require.True(t, known(table, a), "%v is in no table", a)
					hits[a] += n
				}
			}
			require.Empty(t, missing(table, hits, 1))
		})
	}
}
