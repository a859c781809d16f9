package coolkey_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard/fault"
	"tokenwright/simcard/nvm"
)

// tearable are commands that write much or must not be undone, each sent to a card with PIN 0, an
// object, a wrapped key in another one, and a key pair in slots 2 and 3.
var tearable = map[string]func(*lab) string{
	"change PIN": func(*lab) string {
		return command("B0440000", "04"+userPIN+"04"+"35363738")
	},
	"set PIN": func(*lab) string { return command("84040000", "35363738") },
	"write object": func(*lab) string {
		return command("84540000", "41414141"+"00000000"+"C8"+strings.Repeat("A5", 200))
	},
	"replace object": func(*lab) string {
		return command("845A0000", "41414141"+"00000100"+"FFFFFFFFFFFF")
	},
	"delete object": func(*lab) string { return command("84520001", "41414141") },
	"import key":    func(l *lab) string { return l.imported("F405", "81", "42424242", "", iv) },
	"replace key":   func(l *lab) string { return l.imported("F203", "81", "42424242", "", iv) },
	"generate RSA":  func(l *lab) string { return l.enroll("0C", "F607", 512) },
	"generate EC":   func(l *lab) string { return l.enroll("0D", "F607", 521) },
	"clear slots":   func(*lab) string { return "8455000002" + "0405" },
	"issuer info":   func(*lab) string { return command("84F40000", strings.Repeat("42", 224)) },
}

// tearLab makes the card, or a new one on a chip that holds it.
func tearLab(t *testing.T) *nvm.RAM {
	t.Helper()
	l := newLab(t, build14, heap1000)
	l.want(command("84400003", userPIN), "9000")
	l.private()
	l.create("41414141", "FFFFFFFFFFFF", strings.Repeat("11", 200))
	l.create("42424242", "FFFFFFFFFFFF", encrypted(t, pairBlob(512, smallKey())))
	return l.chip
}

func resumed(t *testing.T, chip *nvm.RAM) *lab {
	t.Helper()
	l := newLabOn(t, chip, build14)
	l.domain.open, l.domain.level = true, 1
	l.start()
	return l
}

// state is what a card on a copy of the chip shows: lists, objects, keys at work, PINs.
func state(t *testing.T, chip *nvm.RAM) string {
	t.Helper()
	l := resumed(t, nvm.NewRAM(chip.Image()))
	out := (&generator{l: l}).inventory()
	for _, id := range []string{"41414141", "42424242"} {
		out = append(out, l.ask(command("B0560000", id+"00000000C8Z")))
	}
	small := "00" + strings.Repeat("5A", 63)
	for slot := 2; slot < 8; slot++ {
		out = append(out, l.ask(command(fmt.Sprintf("8436%02X04", slot), "0003010040"+small)),
			l.ask(command(fmt.Sprintf("8437%02X04", slot), "010014"+strings.Repeat("5A", 20))))
	}
	out = append(out, l.ask("B0F60000E0"))
	for _, pin := range []string{"35363738", userPIN} {
		r := l.ask(command("B0420000", pin))
		out = append(out, r[len(r)-4:])
	}
	return strings.Join(out, "\n")
}

// Power goes at every write of each command, before, within and after it. The card comes back as it was
// before the command or as it is behind it, and the command then goes through.
func TestCutAtEveryWrite(t *testing.T) {
	origin := tearLab(t)
	for name, send := range tearable {
		t.Run(name, func(t *testing.T) {
			before := state(t, origin)
			whole := nvm.NewRAM(origin.Image())
			count := fault.CountWrites()
			l := resumed(t, whole)
			l.mem.SetHook(count.Hook)
			l.want(send(l), "9000")
			after := state(t, whole)
			require.NotEqual(t, before, after)
			require.Positive(t, count.Count())
			for at := uint64(1); at <= count.Count(); at++ {
				for _, cut := range []nvm.Cut{nvm.Before, nvm.Torn, nvm.After} {
					cutAt(t, origin, send, at, cut, before, after)
				}
			}
		})
	}
}

func cutAt(
	t *testing.T, origin *nvm.RAM, send func(*lab) string, at uint64, cut nvm.Cut, before, after string,
) {
	t.Helper()
	what := fmt.Sprintf("%s write %d", cut, at)
	chip := nvm.NewRAM(origin.Image())
	l := resumed(t, chip)
	l.mem.SetHook(fault.AtWrite(at, cut).Hook)
	_, err := l.transmit(unhex(t, send(l)))
	require.ErrorIs(t, err, nvm.ErrPowerLost, what)
	got := state(t, chip)
	tried := strings.Replace(before, "039000", "029000", 1) // a try was taken, for good
	require.Contains(t, []string{before, after, tried}, got, what)
	if cut == nvm.Before && at == 1 {
		require.Equal(t, before, got, what)
	}
	if got == before {
		l := resumed(t, chip)
		l.want(send(l), "9000")
		require.Equal(t, after, state(t, chip), what)
	}
}

// A try is gone before it is known whether the PIN was right: a wrong guess has one commit, and power
// that goes before its last write is complete shows nothing of the outcome.
func TestPINTryCannotBeTakenBack(t *testing.T) {
	origin := tearLab(t)
	for _, guess := range []string{
		command("B0420000", wrongPIN), command("B0440000", "04"+wrongPIN+"04"+userPIN),
	} {
		count := fault.CountWrites()
		l := resumed(t, nvm.NewRAM(origin.Image()))
		l.mem.SetHook(count.Hook)
		l.want(guess, "9C02")
		for _, cut := range []nvm.Cut{nvm.Before, nvm.Torn, nvm.After} {
			guessAndCut(t, nvm.NewRAM(origin.Image()), guess, count.Count(), cut)
		}
	}
}

func guessAndCut(t *testing.T, chip *nvm.RAM, guess string, last uint64, cut nvm.Cut) {
	t.Helper()
	for left := 3; left > 0; {
		l := resumed(t, chip)
		l.mem.SetHook(fault.AtWrite(last, cut).Hook)
		resp, err := l.transmit(unhex(t, guess))
		require.ErrorIs(t, err, nvm.ErrPowerLost)
		require.Zero(t, resp)
		if cut == nvm.After {
			left--
		}
		l = resumed(t, chip)
		require.Equal(t, fmt.Sprintf("%02X9000", left), l.ask("B04A000001"), cut)
		if cut != nvm.After {
			return
		}
	}
	resumed(t, chip).want(command("B0420000", userPIN), "9C0C")
}

// A key pair follows from the seed, and so does all that is signed with it.
func TestKeysFollowFromTheSeed(t *testing.T) {
	made := func(ins string, bits int) string {
		l := newLab(t, build14, nil)
		l.want(l.enroll(ins, "F203", bits), "9000")
		return upper(l.read("FFFFFFFF", 200))
	}
	rsa, ec := made("0C", 1024), made("0D", 384)
	require.Equal(t, rsa, made("0C", 1024))
	require.Equal(t, ec, made("0D", 384))
}
