package coolkey_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

// A generator of commands with a fixed seed is let loose on cards: commands made up from nothing, and
// stretches of the sequences that lead to every answer, some of them spoilt. Whatever comes is an
// answer that the command has, and what the shadow says must hold; a card that loses power comes back
// as it was.
func TestRandomCommands(t *testing.T) {
	count, each := amount()
	for build, table := range map[uint32]map[answer]bool{build14: answers14, build15: answers15} {
		t.Run(fmt.Sprintf("%08x", build), func(t *testing.T) {
			t.Parallel()
			randomCommands(t, build, table, count/2, each)
		})
	}
}

// cardLife is after how many commands there is a new card.
const cardLife = 4000

func randomCommands(t *testing.T, build uint32, table map[answer]bool, count, each int) {
	rng := rand.New(rand.NewPCG(uint64(build), 1))
	hits, scripts := map[answer]int{}, record(t, build)
	for done := 0; done < count; {
		g := newGenerator(t, build, table, rng, scripts)
		done += g.live(min(cardLife, count-done))
		for a, n := range g.l.hits {
			hits[a] += n
		}
	}
	t.Log(listing(table, hits))
	require.Empty(t, missing(table, hits, each), "answers that came fewer than %d times", each)
}

// listing prints the hits of each instruction and status word. Instructions that the table has not are
// one line.
func listing(table map[answer]bool, hits map[answer]int) string {
	lines, others := map[string][]string{}, 0
	for a, n := range hits {
		if !table[a] {
			others += n
			continue
		}
		lines[a.command()] = append(lines[a.command()], fmt.Sprintf("%04X:%d", uint16(a.sw), n))
	}
	var out []string
	for c, words := range lines {
		slices.Sort(words)
		out = append(out, c+"  "+strings.Join(words, " "))
	}
	slices.Sort(out)
	out = append(out, fmt.Sprintf("all other instructions  6D00:%d", others))
	return "hits by instruction and status word\n" + strings.Join(out, "\n")
}

// record gives the commands of each lead, with the words for nonces in them.
func record(t *testing.T, build uint32) (scripts [][]string) {
	t.Helper()
	for _, lead := range leads {
		l := newLab(t, build, heap1000)
		l.want(command("84400003", userPIN), "9000")
		var script []string
		l.heard = func(cmd string) { script = append(script, cmd) }
		if lead(l); len(script) > 0 {
			scripts = append(scripts, script)
		}
	}
	return scripts
}

type generator struct {
	l       *lab
	shadow  *shadow
	rng     *rand.Rand
	table   map[answer]bool
	scripts [][]string
	sent    int
}

func newGenerator(
	t *testing.T, build uint32, table map[answer]bool, rng *rand.Rand, scripts [][]string,
) *generator {
	t.Helper()
	l := newLab(t, build, heap1000)
	g := &generator{l: l, shadow: newShadow(l, 1000), rng: rng, table: table, scripts: scripts}
	g.send(command("84400003", userPIN))
	return g
}

// live sends about n commands and gives how many it were.
func (g *generator) live(n int) int {
	for g.sent < n {
		switch r := g.rng.IntN(200); {
		case r == 0:
			g.powerCycle()
		case r < 4:
			g.l.reselect()
		case r < 20:
			g.send("B03C000010")
		case r < 28:
			g.stretch()
		default:
			g.send(g.invent())
		}
		g.l.domain.rmac = g.rng.IntN(2) == 0
	}
	return g.sent
}

// stretch sends a part of a lead, mostly from its start, and spoils a command now and then.
func (g *generator) stretch() {
	s := g.scripts[g.rng.IntN(len(g.scripts))]
	from := 0
	if g.rng.IntN(3) == 0 {
		from = g.rng.IntN(len(s))
	}
	for _, cmd := range s[from : from+1+g.rng.IntN(len(s)-from)] {
		if strings.HasPrefix(cmd, "840C") && g.rng.IntN(4) > 0 {
			continue // Making RSA keys takes a share that is capped.
		}
		if g.rng.IntN(20) == 0 {
			cmd = g.spoil(cmd)
		}
		g.send(cmd)
	}
}

// spoil changes a byte of a command, or takes its data away.
func (g *generator) spoil(cmd string) string {
	b := []byte(cmd)
	switch at := 2 + g.rng.IntN(len(b)-2); {
	case g.rng.IntN(6) == 0 && len(b) > 10:
		return cmd[:10]
	case b[at] != 'Z' && b[at] != 'N':
		b[at] = "0123456789ABCDEF"[g.rng.IntN(16)]
	}
	return string(b)
}

func pick[T any](g *generator, from ...T) T { return from[g.rng.IntN(len(from))] }

// invent makes a command up.
func (g *generator) invent() string {
	class := pick(g, "84", "B0")
	p1 := fmt.Sprintf("%02X", pick(g, 0, 0, 0, 1, 2, 8, g.rng.IntN(256)))
	p2 := pick(g, "00", "00", "00", "00", "00", "01", "02", "FF")
	id := pick(g, "41414141", "42424242", "43434343", "44444444", "FFFFFFFF", "FFFFFFFE")
	acl := func() string { return pick(g, "FFFF", "FFFF", "4000", "0001", "8000", "0003", "0000") }
	pin := func() string { return pick(g, userPIN, userPIN, userPIN, wrongPIN, "35363738", "31", "") }
	offset := fmt.Sprintf("%08X", pick(g, 0, 0, 1, g.rng.IntN(300), 0x384, 0x7FFF, 0x8000, 0x10000))
	n := pick(g, 0, 1, 4, g.rng.IntN(100))
	nonce := map[string]string{"84": "", "B0": pick(g, "Z", "N", "N", "", "0102030405060708")}[class]
	switch g.rng.IntN(14) {
	case 0, 1:
		size := pick(g, 0, 1, g.rng.IntN(300), g.rng.IntN(300), 1000, 0x7FF0, 0x8000, 0x10000)
		return command(class+"5A"+pick(g, "00", "00", "00", p1)+p2,
			fmt.Sprintf("%s%08X%s%s%s%s", id, size, acl(), acl(), acl(), nonce))
	case 2, 3:
		return command(class+"54"+pick(g, "00", "00", p1)+p2,
			fmt.Sprintf("%s%s%02X%s%s", id, offset, n, hex.EncodeToString(g.bytes(n)), nonce))
	case 4, 5:
		return command(class+"56"+pick(g, "00", "00", p1)+p2, fmt.Sprintf("%s%s%02X%s", id, offset, n, nonce))
	case 6:
		return command(class+"52"+pick(g, "00", "00", p1)+p2, id+nonce)
	case 7:
		return command("B042"+pick(g, "00", "01", p1)+p2, pin())
	case 8:
		old, fresh := pin(), pin()
		return command("B044"+pick(g, "00", "01", p1)+p2,
			fmt.Sprintf("%02X%s%02X%s", len(old)/2, old, len(fresh)/2, fresh))
	case 9:
		return command("8404"+pick(g, "00", "01", p1)+p2, userPIN)
	case 10:
		return command(class+"40"+p1+pick(g, "03", "03", "00", "80"), pin()+nonce)
	case 11:
		return "B04A" + p1 + p2 + "01"
	case 12:
		return "84F8000007" + acl() + acl() + acl() + "01"
	}
	if g.rng.IntN(3) > 0 {
		return pick(g, "B058", "B03A", "B061", "B048", "B0F2") + p1 + p2 + pick(g, "0E", "0B", "02", "04")
	}
	return command(class+fmt.Sprintf("%02X", g.rng.IntN(256))+p1+p2, hex.EncodeToString(g.bytes(n))+nonce)
}

func (g *generator) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.rng.Uint32())
	}
	return b
}

// send sends a command and judges the answer.
func (g *generator) send(cmd string) {
	t := g.l.t
	b, err := hex.DecodeString(strings.ReplaceAll(strings.ReplaceAll(cmd, "Z", noNonce), "N", g.l.nonce))
	require.NoError(t, err)
	parsed, err := apdu.Parse(b)
	if err != nil {
		return // no APDU any more
	}
	if parsed.CLA == lang.CLASecure && parsed.INS == 0x82 {
		return // EXTERNAL AUTHENTICATE is the security domain's.
	}
	before := parsed
	before.Data = bytes.Clone(parsed.Data)
	enrolls := parsed.INS == lang.INSStartEnrollment || parsed.INS == lang.INSStartEnrollmentECC
	keyless := enrolls && g.rng.IntN(20) == 0 // the security domain has lost its key
	if keyless {
		g.l.domain.dek, g.l.domain.spare = g.l.domain.spare, g.l.domain.dek
	}
	resp, err := g.l.transmit(b)
	require.NoError(t, err)
	if keyless {
		g.l.domain.dek, g.l.domain.spare = g.l.domain.spare, g.l.domain.dek
	}
	if parsed.Extended {
		require.Equal(t, apdu.SW6700, resp.SW)
		return
	}
	a := answer{parsed.CLA == lang.CLASecure, parsed.INS, resp.SW}
	if parsed.CLA == lang.CLASecure || parsed.CLA == lang.CLAUser {
		require.True(t, known(g.table, a), "%v is no answer, to %s", a, cmd)
	}
	g.shadow.observe(before, resp)
	g.sent++
}

// powerCycle takes the power and compares what the card lists before and after.
func (g *generator) powerCycle() {
	before := g.inventory()
	g.l.start()
	g.shadow.reset()
	after := g.inventory()
	require.Equal(g.l.t, before, after, "memory after a loss of power")
}

// inventory is what the card lists of its state, but who is logged in.
func (g *generator) inventory() (out []string) {
	out = append(out, g.l.ask("B03C000010")[:28], g.l.ask("B0FA000007"), g.l.ask("B0F60000E0"))
	for _, list := range []string{"B058%s000E", "B03A%s000B"} {
		r := g.l.ask(fmt.Sprintf(list, "00"))
		for ; len(r) > 4; r = g.l.ask(fmt.Sprintf(list, "01")) {
			out = append(out, r)
		}
	}
	for n := range lang.MaxPINs {
		out = append(out, g.l.ask(fmt.Sprintf("B04A%02X0001", n)))
	}
	return out
}
