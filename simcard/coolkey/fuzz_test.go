package coolkey_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/apdu"
)

// fuzzCommands sends a card commands cut from fuzz input: a byte with their number of bytes, then as
// many. 00 is a loss of power. Whatever comes has an answer of the tables, and the card starts again
// with what it had.
func fuzzCommands(t *testing.T, build uint32, input []byte) {
	l := newLab(t, build, heap1000)
	l.want(command("84400003", userPIN), "9000")
	g := &generator{l: l}
	for len(input) > 0 {
		n := min(int(input[0]), len(input)-1)
		cmd := input[1 : 1+n]
		input = input[1+n:]
		if n == 0 {
			before := g.inventory()
			l.start()
			require.Equal(t, before, g.inventory())
			continue
		}
		if len(cmd) < 4 || costly(cmd) {
			continue
		}
		resp, err := l.transmit(cmd)
		require.NoError(t, err)
		require.LessOrEqual(t, len(resp.Data), 256)
	}
	table := answers14
	if build == build15 {
		table = answers15
	}
	for a := range l.hits {
		require.True(t, known(table, a) || a.sw == apdu.SW6700 || a.ins == 0x82, "%v is no answer", a)
	}
}

// costly tells the making of RSA keys past 512 bits.
func costly(cmd []byte) bool {
	return cmd[1] == 0x0C && len(cmd) > 8 && (cmd[6] > 2 || cmd[6] == 2 && cmd[7] > 0)
}

func script(t testing.TB, cmds ...string) (out []byte) {
	t.Helper()
	for _, cmd := range cmds {
		b := unhex(t, strings.ReplaceAll(cmd, "Z", noNonce))
		out = append(append(out, byte(len(b))), b...)
	}
	return out
}

// FuzzObjects is about objects and the memory that they live in.
func FuzzObjects(f *testing.F) {
	create := command("845A0000", "4141414100000010FFFFFFFFFFFF")
	f.Add(script(f, create, command("B0540000", "414141410000000004AABBCCDDZ"),
		command("B0560000", "414141410000000004Z"), "B05800000E", "", command("B0520000", "41414141Z")))
	f.Add(script(f, create, strings.Replace(create, "4141", "4242", 1), create, "B05800000E", "B05801000E",
		command("84520001", "42424141"), "B05801000E", "", "B03C000010"))
	f.Add(script(f, command("845A0000", "41414141000003D8FFFFFFFFFFFF"), create, "B03C000010"))
	f.Fuzz(func(t *testing.T, input []byte) { fuzzCommands(t, build14, input) })
}

// FuzzIO is about the I/O object and what reads from it: keys and input of operations.
func FuzzIO(f *testing.F) {
	l := newLab(f, build15, nil)
	blob := encrypted(f, publicBlob(512, smallKey()))
	write := command("B0540000", "FFFFFFFF00000000"+"4C"+blob+"Z")
	f.Add(byte(0), script(f, write, l.imported("F203", "81", "FFFFFFFF", "", iv), "B03A00000B"))
	f.Add(byte(1), script(f, write, l.imported("F203", "88", "FFFFFFFE", "AABBCC", iv+iv)))
	f.Add(byte(0), script(f, l.enroll("0D", "F203", 256), command("B0370204", "010003AABBCCZ"),
		command("B0540000", "FFFFFFFF000000000400023030Z"), command("B0380204", "02Z"), ""))
	f.Add(byte(0), script(f, l.enroll("0C", "F203", 512), command("B0360204", "000301"+"0040"+
		strings.Repeat("5A", 64)+"Z"), command("B0360201", "0004020000Z"), command("B0360203", "02Z")))
	f.Add(byte(0), script(f, command("B0540000", "FFFFFFFF00007F0001AAZ"), command("B0320000",
		"FFFFFFFF"+toAll+"Z"), command("845A0000", "FFFFFFFF00000384FFFFFFFFFFFF")))
	f.Fuzz(func(t *testing.T, line byte, input []byte) {
		build := uint32(build14)
		if line&1 == 1 {
			build = build15
		}
		fuzzCommands(t, build, input)
	})
}

// FuzzImport gives a card hostile key blobs, encrypted or not, and uses what it takes from them.
func FuzzImport(f *testing.F) {
	for _, blob := range []string{
		pairBlob(512, smallKey()), crtBlob(512, smallKey()), publicBlob(512, smallKey()), "00090200",
	} {
		f.Add(byte(0), unhex(f, blob))
		f.Add(byte(1), unhex(f, encrypted(f, blob)))
	}
	f.Add(byte(2), unhex(f, kwpBlob(f, pairBlob(512, smallKey()))))
	f.Add(byte(3), unhex(f, cbcBlob(f, pairBlob(512, smallKey()))))
	f.Fuzz(func(t *testing.T, way byte, blob []byte) {
		if len(blob) == 0 || len(blob) > 800 {
			return
		}
		build := uint32(build14)
		if way&3 > 1 {
			build = build15
		}
		l := newLab(t, build, heap1000)
		l.io(upper(blob))
		algorithm := map[byte]string{0: "81", 1: "81", 2: "88", 3: "89"}[way&3]
		if way&3 == 0 {
			l.ask(command("84320203", "FFFFFFFF"+toAll+toAll))
		}
		l.ask(l.imported("F405", algorithm, "FFFFFFFF", "", iv))
		for slot := range 6 {
			l.ask(command("8436"+upper([]byte{byte(slot)})+"04", "0003010040"+"00"+strings.Repeat("5A", 63)))
		}
		table := answers14
		if build == build15 {
			table = answers15
		}
		for a := range l.hits {
			require.True(t, known(table, a), "%v is no answer", a)
		}
		before := (&generator{l: l}).inventory()
		l.start()
		require.Equal(t, before, (&generator{l: l}).inventory())
	})
}
