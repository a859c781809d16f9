package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/fixtures/cards"
	"tokenwright/fixtures/vectors"
	"tokenwright/vpcd"
)

// execute runs the command with lines as its input.
func execute(t *testing.T, lines string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(lines), &o, &e)
	return code, o.String(), e.String()
}

func TestAPDUConversation(t *testing.T) {
	code, out, errOut := execute(t, `
# the card manager
00 A4 04 00 00
80CA9F7F2D   # its production data
RESET
80CA123400
80
`, "apdu", "--stock", "op201-scp01", "--seed", "7")
	require.Zero(t, code, errOut)
	require.Empty(t, errOut)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 5)
	require.Equal(t, "6F108408A000000003000000A5049F6501FF9000", lines[0])
	require.Len(t, lines[1], 2*47)
	require.True(t, strings.HasPrefix(lines[2], "3B"))
	require.Equal(t, []string{"6A88", "6700"}, lines[3:])

	_, again, _ := execute(t, "80CA9F7F00", "apdu", "--stock", "op201-scp01", "--seed", "7")
	require.Equal(t, lines[1]+"\n", again, "a seed makes the same card")
	_, other, _ := execute(t, "80CA9F7F00", "apdu", "--stock", "op201-scp01", "--seed", "8")
	require.NotEqual(t, again, other)
	_, random, _ := execute(t, "80CA9F7F00", "apdu", "--stock", "op201-scp01")
	_, random2, _ := execute(t, "80CA9F7F00", "apdu", "--stock", "op201-scp01")
	require.NotEqual(t, random, random2)
}

// Answers come at once, so that a script can go on from them.
func TestAPDUAnswersBeforeTheNextLine(t *testing.T) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- run(t.Context(), []string{"apdu", "--stock", "gp211-scp01"}, inR, outW, io.Discard)
	}()
	answers := bufio.NewReader(outR)
	for _, step := range []struct{ cmd, want string }{
		{"00A4040000", "9000"}, {"8000000000", "6D00"}, {"FF00000000", "6E00"},
	} {
		_, err := fmt.Fprintln(inW, step.cmd)
		require.NoError(t, err)
		line, err := answers.ReadString('\n')
		require.NoError(t, err)
		require.True(t, strings.HasSuffix(line, step.want+"\n"), line)
	}
	require.NoError(t, inW.Close())
	require.Zero(t, <-done)
}

func coolkeyOn(args ...string) []string {
	return append([]string{"--stock", "gp211-scp01", "--applet", "coolkey"}, args...)
}

func TestUnknownCommand(t *testing.T) {
	code, out, errOut := execute(t, "", "frob")
	require.Equal(t, exitUsage, code)
	require.Empty(t, out)
	require.Contains(t, errOut, `unknown command "frob"`)
	code, out, _ = execute(t, "")
	require.Zero(t, code)
	require.Contains(t, out, "Exit codes:")
}

func TestBadInput(t *testing.T) {
	scp01 := []string{"--stock", "gp211-scp01"}
	for name, c := range map[string]struct {
		lines string
		args  []string
		want  string
	}{
		"hex":           {"00A4040000\n80CAxx", scp01, "line 2: not an APDU"},
		"odd":           {"00A", scp01, "line 1: not an APDU"},
		"long line":     {strings.Repeat("00", maxLine), scp01, "line 1"},
		"stock":         {"", []string{"--stock", "x"}, `unknown stock "x"`},
		"no stock":      {"", nil, "--stock"},
		"flag":          {"", []string{"--nope"}, "unknown flag"},
		"keys":          {"", []string{"--stock", "gp211-scp01", "--keys", "zz"}, "key 1 is not hex"},
		"two keys":      {"", []string{"--stock", "gp211-scp01", "--keys", "00,11"}, "want 1 or 3"},
		"kvn":           {"", []string{"--stock", "gp211-scp01", "--kvn", "100"}, "--kvn"},
		"kdd":           {"", []string{"--stock", "gp211-scp01", "--kdd", "00"}, "--kdd"},
		"cplc":          {"", []string{"--stock", "gp211-scp01", "--cplc", "00"}, "--cplc"},
		"scp":           {"", []string{"--stock", "gp211-scp01", "--scp", "x"}, "--scp"},
		"i":             {"", []string{"--stock", "gp211-scp01", "--i", "x"}, "--i"},
		"applet":        {"", []string{"--stock", "gp211-scp01", "--applet", "x"}, "--applet"},
		"build alone":   {"", []string{"--stock", "gp211-scp01", "--build", "00"}, "--applet"},
		"build":         {"", coolkeyOn("--build", "x"), "--build"},
		"params":        {"", coolkeyOn("--install-params", "x"), "--install-params"},
		"challenge hex": {"", append(scp01, "--card-challenge", "x"), "--card-challenge"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := execute(t, c.lines, append([]string{"apdu"}, c.args...)...)
			require.Equal(t, exitUsage, code, errOut)
			require.Contains(t, errOut, c.want)
			require.NotContains(t, out, "80CA", "nothing about the bad line on standard output")
		})
	}
	for name, args := range map[string][]string{
		"nonce":     {"--stock", "gp211-scp01", "--nonce", "00"},
		"counter":   {"--stock", "gp211-scp01", "--sequence-counter", "0001"},
		"variant":   {"--stock", "gp211-scp01", "--i", "99"},
		"protocol":  {"--stock", "gp211-scp01", "--scp", "03"},
		"key size":  {"--stock", "gp211-scp01", "--keys", "00112233"},
		"ATR":       {"--stock", "gp211-scp01", "--atr", "3B"},
		"challenge": {"--stock", "gp211-scp01", "--card-challenge", "00"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := execute(t, "00A4040000", append([]string{"apdu"}, args...)...)
			require.Equal(t, exitFailed, code)
			require.NotEmpty(t, errOut)
			require.Empty(t, out)
			require.NotContains(t, errOut, "00112233", "keys stay out of messages")
		})
	}
}

// The overrides replay any recorded session: the program answers the recorded cryptograms and takes
// the recorded commands.
func TestOverridesReplayForeignSessions(t *testing.T) {
	sessions, err := vectors.Sessions()
	require.NoError(t, err)
	stocks := map[vectors.Byte]string{1: "gp211-scp01", 2: "gp211-scp02", 3: "sce7-scp03"}
	n := 0
	for _, v := range sessions {
		kvn := v.InitUpdateResponse[10]
		if asked := v.InitUpdate[2]; asked != 0 && asked != kvn {
			continue // One recorded card answers another version than the one asked for.
		}
		kdd := v.KDD()
		args := []string{
			"apdu", "--stock", stocks[v.SCP], "--scp", fmt.Sprintf("%02X", byte(v.SCP)),
			"--i", fmt.Sprintf("%02X", byte(v.I)), "--kvn", fmt.Sprintf("%02X", kvn),
			"--keys", fmt.Sprintf("%v,%v,%v", v.ENC, v.MAC, v.DEK), "--kdd", hex.EncodeToString(kdd[:]),
			"--card-challenge", hex.EncodeToString(v.CardChallenge()),
		}
		if seq := v.Sequence(); len(seq) > 0 {
			args = append(args, "--sequence-counter", hex.EncodeToString(seq))
		}
		lines := fmt.Sprintf("%v\n%v\n", v.InitUpdate, v.ExternalAuthenticate)
		for _, c := range v.Commands {
			lines += c.Wrapped.String() + "\n"
		}
		code, out, errOut := execute(t, lines, args...)
		require.Zero(t, code, errOut)
		got := strings.Split(strings.TrimSpace(out), "\n")
		require.Len(t, got, 2+len(v.Commands), v.Name)
		require.Equal(t, []string{v.InitUpdateResponse.String() + "9000", "9000"}, got[:2], v.Name)
		for _, line := range got[2:] {
			require.NotEqual(t, "6982", line, v.Name)
		}
		n++
	}
	require.Greater(t, n, 25)
}

// So does a conversation with the real applet, as far as it has no random answers.
func TestOverridesReplayTheRealApplet(t *testing.T) {
	sections, err := cards.CoolKey()
	require.NoError(t, err)
	n := 0
	for _, s := range sections {
		var lines, want []string
		for _, step := range s.Steps {
			if step.Varies || strings.Contains(step.Cmd, "NONCE") || strings.HasPrefix(step.Cmd, "840A") {
				lines = nil
				break
			}
			if step.Reset {
				step.Cmd = "reset"
			}
			lines, want = append(lines, step.Cmd), append(want, step.Resp)
		}
		if lines == nil {
			continue
		}
		code, out, errOut := execute(t, strings.Join(lines, "\n"), "apdu", "--stock", "gp211-scp01",
			"--keys", "404142434445464748494A4B4C4D4E4F", "--kvn", "01", "--scp", "01", "--i", "05",
			"--kdd", "40906155760102030405", "--card-challenge", s.CardChallenge,
			"--atr", "3B759400006202020201", "--nonce", "1122334455667788",
			"--applet", "coolkey", "--install-params", s.Params, "--build", "58755637")
		require.Zero(t, code, errOut)
		require.Equal(t, want, strings.Split(strings.TrimSpace(out), "\n"), s.Name)
		n++
	}
	require.Equal(t, 3, n)
}

func TestState(t *testing.T) {
	state := filepath.Join(t.TempDir(), "card")
	args := []string{"apdu", "--stock", "sce6-scp03", "--state", state}
	code, first, errOut := execute(t, "80CA9F7F00", args...)
	require.Zero(t, code, errOut)
	_, second, _ := execute(t, "80CA9F7F00", args...)
	require.Equal(t, first, second)
	_, third, _ := execute(t, "80CA9F7F00", "apdu", "--state", state)
	require.Equal(t, first, third)
	code, _, errOut = execute(t, "", append(args, "--kvn", "01")...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "exists already")
	code, _, errOut = execute(t, "", "apdu", "--stock", "gp211-scp01", "--state", state)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "sce6-scp03, not gp211-scp01")
	code, _, errOut = execute(t, "", "apdu", "--state", filepath.Join(t.TempDir(), "none"))
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "no card")
}

// A card in a reader answers programs on the reader's other side, and comes out at Ctrl-C.
func TestRunServesAReader(t *testing.T) {
	reader, err := vpcd.Listen("127.0.0.1:0")
	require.NoError(t, err)
	defer reader.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, errOut bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"run", "--stock", "gp211-scp02", "--vpcd", reader.Addr().String()},
			nil, &out, &errOut)
	}()
	limit, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, reader.WaitCard(limit))
	atr, err := reader.PowerOn(limit)
	require.NoError(t, err)
	require.EqualValues(t, 0x3B, atr[0])
	resp, err := reader.Transmit(limit, []byte{0x80, 0xCA, 0x9F, 0x7F, 0x00})
	require.NoError(t, err)
	require.Len(t, resp, 47)
	stop()
	select {
	case code := <-done:
		require.Zero(t, code, errOut.String())
	case <-limit.Done():
		t.Fatal("the card did not come out")
	}
	require.Contains(t, out.String(), "gp211-scp02: GlobalPlatform 2.1.1")
	require.Contains(t, out.String(), "ATR    3B")
	require.Contains(t, out.String(), "in the reader at 127.0.0.1:")
	require.Contains(t, out.String(), "the card is out")
}

func TestRunRefusesARemoteReader(t *testing.T) {
	code, _, errOut := execute(t, "", "run", "--stock", "gp211-scp01", "--vpcd", "192.0.2.1:35963")
	require.NotZero(t, code)
	require.NotEmpty(t, errOut)
}

func TestReaderAddress(t *testing.T) {
	for in, want := range map[string]string{
		"35999": "127.0.0.1:35999", "127.0.0.1:1": "127.0.0.1:1", "[::1]:65535": "[::1]:65535",
		"localhost:35963": "localhost:35963",
	} {
		got, err := readerAddress(in)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, in := range []string{"", "0", "65536", "port", ":1", "a:b:c", "127.0.0.1:", "::1"} {
		_, err := readerAddress(in)
		require.Error(t, err, in)
	}
}

// The person sees where the card is when that changes, and no more.
func TestPlaceIsToldWhenItChanges(t *testing.T) {
	var out strings.Builder
	p := placeTold{out: &out, addr: "127.0.0.1:1"}
	for range 3 {
		p.away(false, errors.New("refused"))
	}
	for range 2 {
		p.say("in the reader")
		p.away(true, io.EOF)
		p.away(false, errors.New("refused"))
	}
	require.Equal(t, "no reader yet, trying on (refused)\n"+
		strings.Repeat("in the reader\nout of the reader: it went away; waiting for it\n", 2),
		out.String())
}

func TestStockList(t *testing.T) {
	code, out, _ := execute(t, "", "stock")
	require.Zero(t, code)
	code, js, _ := execute(t, "", "stock", "--json")
	require.Zero(t, code)
	var all []map[string]any
	require.NoError(t, json.Unmarshal([]byte(js), &all))
	require.GreaterOrEqual(t, len(all), 4)
	for _, s := range all {
		require.Contains(t, out, s["name"])
	}
	code, _, errOut := execute(t, "", "stock", "extra")
	require.NotZero(t, code)
	require.NotEmpty(t, errOut)
}
