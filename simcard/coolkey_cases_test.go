package simcard_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/simcard/coolkey"
)

// differential is a situation in which the real applet, version 1.4, was asked what it does: numbered
// as in the notes on it. Each starts with a fresh card with a heap of 5000 bytes, a secure channel
// and PIN 0 "1234" with three tries.
type differential struct {
	n    int
	what string
	do   func(*caseCard)
}

// deviations are situations in which the card does not do as the applet did, with the reason.
var deviations = map[int]string{
	21: "after EXTERNAL AUTHENTICATE at level 00 the applet ran commands without protection: the " +
		"security domain of that run accepted anything, that of this card keeps to its protocol",
	86: "CREATE OBJECT of 7FF0 to 7FFF bytes ruins the applet's heap; this one answers 9C01",
}

const seventeen = "3132333435363738393031323334353637"

func ff(n int) string { return strings.Repeat("FF", n) }

func TestDifferentialCases(t *testing.T) {
	seen := map[int]bool{}
	all := append(append(append([]differential{}, infoCases...), objectCases...), keyCases...)
	for _, c := range all {
		seen[c.n] = true
		t.Run(strconv.Itoa(c.n)+" "+c.what, func(t *testing.T) { c.do(newCaseCard(t)) })
	}
	for n := 1; n <= 86; n++ {
		reason := deviations[n]
		require.NotEqual(t, seen[n], reason != "", "case %d has either a test or a reason", n)
	}
}

// The sizes that ruin the real applet do no harm here.
func TestOverflowingSizes(t *testing.T) {
	c := newCaseCard(t)
	for size := 0x7FF0; size <= 0x7FFF; size++ {
		c.want(create("41414141", size, "FFFFFFFFFFFF"), "9C01")
	}
	c.object("41414141", "FFFFFFFF")
	require.Equal(t, 4998-32, c.free())
}

// caseCard is a card in one of the situations.
type caseCard struct {
	*host
	nonce string
}

func newCaseCard(t *testing.T) *caseCard {
	t.Helper()
	c := newCard(t, "op201-scp01",
		simcard.WithApplet(coolkey.DefaultVersion, unhex(t, "0002138801 01")))
	require.Equal(t, "9000", send(t, c, selectCoolKey))
	k := &caseCard{host: channel(t, c, 1, 1), nonce: zeroNonce}
	k.want("844000030431323334", "9000")
	return k
}

// ask sends a command in hex, in which Z stands for the zero nonce and N for the current one. Those of
// class 84 go through the channel.
func (c *caseCard) ask(cmd string) string {
	c.t.Helper()
	cmd = strings.ReplaceAll(strings.ReplaceAll(cmd, "Z", zeroNonce), "N", c.nonce)
	if strings.HasPrefix(cmd, "84") {
		return c.hex(cmd)
	}
	return send(c.t, c.c, cmd)
}

// want takes commands and what each is answered: a status word, "=" and the whole response, or "#" and
// the number of bytes in front of 9000.
func (c *caseCard) want(pairs ...string) {
	c.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		cmd, want := pairs[i], pairs[i+1]
		got := c.ask(cmd)
		switch {
		case strings.HasPrefix(want, "="):
			require.Equal(c.t, strings.ReplaceAll(want[1:], "N", c.nonce), got, cmd)
		case strings.HasPrefix(want, "#"):
			n, err := strconv.Atoi(want[1:])
			require.NoError(c.t, err)
			require.Equal(c.t, "9000", sw(got), cmd)
			require.Len(c.t, got, 2*n+4, cmd)
		default:
			require.Equal(c.t, want, sw(got), cmd)
		}
	}
}

const (
	rightPIN = "B04200000431323334"
	wrongPIN = "B04200000431323335"
)

// logIn makes N the nonce of PIN 0.
func (c *caseCard) logIn() {
	c.t.Helper()
	c.nonce = c.login()
}

// object makes an object of 16 bytes for which read and write have acl, delete everybody.
func (c *caseCard) object(id, acl string) {
	c.t.Helper()
	c.want(create(id, 16, acl+"FFFF"), "9000")
}

func (c *caseCard) free() int {
	c.t.Helper()
	n, err := strconv.ParseUint(send(c.t, c.c, "B03C000010")[16:24], 16, 32)
	require.NoError(c.t, err)
	return int(n)
}

func (c *caseCard) mask() string {
	c.t.Helper()
	return send(c.t, c.c, "B03C000010")[28:32]
}

// reselect selects the applet again, which ends the channel.
func (c *caseCard) reselect() {
	c.t.Helper()
	require.Equal(c.t, "9000", send(c.t, c.c, selectCoolKey))
}

func readOne(id string) string { return "B056000011" + id + "0000000001" }

var infoCases = []differential{
	{1, "nop", func(c *caseCard) { c.want("B0710000", "9000", "B071FFFF", "9000") }},
	{2, "unknown instructions", func(c *caseCard) {
		c.want("B0FF0000", "6D00", "B0380000", "6D00", "B0370000", "6D00", "B02A0000", "6D00")
	}},
	{3, "unknown classes", func(c *caseCard) {
		c.want("10710000", "6E00", "90710000", "6E00", "B1710000", "6E00")
	}},
	{4, "classes taken for a selection", func(c *caseCard) {
		c.want("00710000", "=9000", "A4000000", "=9000", "00CB3FFF055C035FC10700", "=9000")
	}},
	{5, "cplc from the applet", func(c *caseCard) { c.want("80CA9F7F2D", "6D00") }},
	{6, "get status parameters", func(c *caseCard) {
		c.want("B03C0100", "6D00", "B03C0200", "9C10", "B03C0001", "9C11", "B03C0101", "9C11")
	}},
	{7, "get status, any Le", func(c *caseCard) { c.want("B03C000005", "#16", "B03C000000", "#16") }},
	{8, "get life cycle, both forms", func(c *caseCard) {
		c.want("B0F2000001", "#1", "B0F2000004", "#4", "B0F20000", "#4")
	}},
	{9, "get build id", func(c *caseCard) {
		c.want("B070000003", "6700", "B0700000", "6700", "B070000004", "#4", "B0700000FF", "#4")
	}},
	{10, "list pins", func(c *caseCard) {
		c.want("B048000001", "6700", "B048010002", "9C10", "B048000102", "9C11")
	}},
	{11, "list keys, none", func(c *caseCard) { c.want("B03A00000B", "=9000", "B03A01000B", "=9000") }},
	{12, "list keys parameters", func(c *caseCard) {
		c.want("B03A00000C", "6700", "B03A02000B", "9C10", "B03A00010B", "9C11")
	}},
	{13, "list objects, none", func(c *caseCard) { c.want("B05800000E", "9C12") }},
	{14, "list objects, signed length", func(c *caseCard) {
		c.want("B05800000D", "6700", "B058000080", "6700", "B0580000FF", "6700")
	}},
	{15, "get issuer info", func(c *caseCard) { c.want("B0F60000DF", "6700", "B0F60000E0", "#224") }},
	{16, "get built-in acl, signed length", func(c *caseCard) {
		c.want("B0FA000006", "6700", "B0FA000080", "6700", "B0FA000008", "#7")
	}},
	{17, "get random", func(c *caseCard) { c.want("B072000000", "=9000", "B0720000FF", "#255") }},
	{18, "get pin tries", func(c *caseCard) {
		c.want("B04A010001", "9C10", "B04A080001", "9C10", "B04A000101", "9C11", "B04A000003", "6700")
	}},
	{19, "class 84 without and with channel", func(c *caseCard) {
		c.want("84710000", "6D00")
		c.reselect()
		require.Equal(c.t, "6982", send(c.t, c.c, "84710000"))
	}},
	{20, "levels", func(c *caseCard) {
		for _, level := range []string{"00", "02", "10", "11", "13"} {
			h, ch, _ := initialize(c.t, c.c, keySet(c.t, c.c, 1))
			n, err := strconv.ParseUint(level, 16, 8)
			require.NoError(c.t, err)
			require.EqualValues(c.t, 0x6985, h.authenticateAs(ch, byte(n)), level)
		}
	}},
	{22, "initialize update", func(c *caseCard) {
		c.want("805000000701020304050607", "6700", "80510000", "6D00")
	}},
	{23, "create pin", func(c *caseCard) {
		c.want("8440010303313233", "9C0F", "8440010311"+seventeen, "9C0F", "84400103", "9C0F",
			"844008030431323334", "9C10", "844000030431323334", "9C10",
			"844001000431323334", "6F00", "844001FF0431323334", "6F00")
	}},
	{24, "create pin as a user", func(c *caseCard) {
		c.want("B04001030C31323334Z", "9C06")
		c.logIn()
		c.want("B04001030C31323334N", "9C06")
	}},
	{25, "pins of impossible length take no try", func(c *caseCard) {
		c.want("B042000003313233", "9C02", "B042000000", "9C02", "B0420000", "9C02",
			"B04A000001", "=039000")
	}},
	{26, "three wrong pins", func(c *caseCard) {
		c.want(wrongPIN, "9C02", wrongPIN, "9C02", wrongPIN, "9C02", rightPIN, "9C0C",
			"B042000003313233", "9C0C")
	}},
	{27, "verify pin parameters", func(c *caseCard) {
		c.want("B04200010431323334", "9C11", "B04208000431323334", "9C10",
			"B04201000431323334", "9C10")
	}},
	{28, "the nonce stays", func(c *caseCard) { c.logIn(); c.want(rightPIN, "=N9000") }},
	{29, "a wrong pin logs out", func(c *caseCard) {
		c.object("41414141", "00010001")
		c.logIn()
		c.want(readOne("41414141")+"N", "9000", wrongPIN, "9C02", readOne("41414141")+"N", "9C06")
		require.Equal(c.t, "0000", c.mask())
	}},
	{30, "a nonce behind the pin is part of it", func(c *caseCard) {
		c.logIn()
		c.want("B04200000C31323334N", "9C02")
	}},
	{31, "change pin lengths", func(c *caseCard) {
		c.want("B04400000C000431323334000435363738", "9C0F", "B044000003043132", "9C0F",
			"B04400000A04313233340535363738", "9C0F", "B04400000C04313233340435363738FFFF", "9000",
			"B04200000435363738", "9000")
	}},
	{32, "change pin with a wrong old one", func(c *caseCard) {
		const wrong = "B04400000A04313233350435363738"
		c.logIn()
		c.want(wrong, "9C02", "B04A000001", "=029000")
		require.Equal(c.t, "0000", c.mask())
		c.want(wrong, "9C02", wrong, "9C02", wrong, "9C0C")
	}},
	{33, "set pin", func(c *caseCard) {
		c.want("840400010431323334", "9C11", "840401000431323334", "9C10",
			"8404000080"+strings.Repeat("31", 128), "6700", "8404000003313233", "9C0F",
			wrongPIN, "9C02", wrongPIN, "9C02", wrongPIN, "9C02", rightPIN, "9C0C",
			"840400000431323334", "9000", "B04A000001", "=039000", rightPIN, "9000")
	}},
	{34, "logout", func(c *caseCard) {
		c.logIn()
		c.want("B0610000", "9000")
		require.Equal(c.t, "0000", c.mask())
		c.want(rightPIN, "9000", rightPIN, "9000", "B0610000", "9000")
		require.Equal(c.t, "0001", c.mask())
		c.want("B0610000", "9000", "B0610000", "9000", "B0610500", "6F00", "B0618000", "6F00")
	}},
	{35, "the nonce outlives selection", func(c *caseCard) {
		c.object("41414141", "00010001")
		c.logIn()
		c.reselect()
		c.want(readOne("41414141")+"N", "9000", "00A4040000", "9000")
		c.reselect()
		c.want(readOne("41414141")+"N", "9000")
	}},
	{36, "the nonce ends with a reset", func(c *caseCard) {
		c.object("41414141", "00010001")
		c.logIn()
		require.NoError(c.t, c.c.PowerOn())
		c.reselect()
		c.want(readOne("41414141")+"N", "9C06")
	}},
	{37, "two pins, one wrong", func(c *caseCard) {
		c.want("844001030435363738", "9000")
		c.object("41414141", "00010001")
		c.object("42424242", "00020002")
		c.logIn()
		c.want("B04201000435363738", "=N9000", readOne("42424242")+"N", "9000",
			"B04201000435363739", "9C02", readOne("41414141")+"N", "9000",
			readOne("42424242")+"N", "9C06")
	}},
}
