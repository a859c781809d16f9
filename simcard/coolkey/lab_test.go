package coolkey_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard/applet"
	"tokenwright/simcard/coolkey"
	"tokenwright/simcard/nvm"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
)

// lab is an applet on its own: memory in RAM, a security domain that protects nothing, and a seeded
// source of randomness. It counts what the applet answers.
type lab struct {
	t      testing.TB
	chip   *nvm.RAM
	mem    *nvm.Memory
	env    applet.Env
	model  coolkey.Model
	app    applet.Applet
	domain *domain
	nonce  string // of the last VERIFY PIN, in hex
	hits   map[answer]int
	heard  func(cmd string) // is told what ask is asked, if not nil
}

// answer is an instruction of a class with the status word that came.
type answer struct {
	secure bool
	ins    byte
	sw     apdu.SW
}

const (
	build14  = 0x58768072
	build15  = 0x65CBF5A6
	noNonce  = "0000000000000000"
	userPIN  = "31323334"
	wrongPIN = "31323335"
)

// heap1000 are install parameters: a heap of 1000 bytes, and built-in access conditions that may be
// changed.
var heap1000 = []byte{0, 2, 0x03, 0xE8, 1, 1}

func newLab(t testing.TB, build uint32, params []byte) *lab {
	t.Helper()
	l := newLabOn(t, nvm.NewRAM(nil), build)
	require.NoError(t, l.env.Memory.Update(func(tx applet.Tx) error {
		return l.model.Install(l.env, tx, params)
	}))
	l.start()
	l.domain.open, l.domain.level = true, 1
	return l
}

// newLabOn makes a lab on a chip without starting the applet.
func newLabOn(t testing.TB, chip *nvm.RAM, build uint32) *lab {
	t.Helper()
	mem, err := nvm.Open(chip, nvm.Options{})
	require.NoError(t, err)
	dek, err := keys.New(keys.DES3, []byte("a key encryption"))
	require.NoError(t, err)
	l := &lab{
		t: t, chip: chip, mem: mem, domain: &domain{dek: dek}, nonce: noNonce,
		model: coolkey.Model{Version: coolkey.VersionOf(build)}, hits: map[answer]int{},
	}
	l.env = applet.Env{
		Memory: applet.NewMemory(mem, "app/"), Random: rand.NewChaCha8([32]byte{1}),
		Channel: l.domain, Life: &life{gp.AppSelectable},
	}
	return l
}

// start is a reset and a selection.
func (l *lab) start() {
	l.t.Helper()
	var err error
	l.app, err = l.model.Start(l.env)
	require.NoError(l.t, err)
	_, err = l.app.Select()
	require.NoError(l.t, err)
}

func (l *lab) reselect() {
	l.t.Helper()
	l.app.Deselect()
	_, err := l.app.Select()
	require.NoError(l.t, err)
}

// transmit sends an APDU. It gives the error that stops the card.
func (l *lab) transmit(b []byte) (apdu.Response, error) {
	cmd, err := apdu.Parse(b)
	if err != nil {
		return apdu.Response{SW: apdu.SW6700}, nil
	}
	resp, err := l.app.Process(cmd)
	if err != nil {
		return resp, err
	}
	if cmd.CLA == lang.CLAUser || cmd.CLA == lang.CLASecure {
		l.hits[answer{cmd.CLA == lang.CLASecure, cmd.INS, resp.SW}]++
		if cmd.CLA == lang.CLAUser && cmd.INS == lang.INSVerifyPIN && resp.SW.OK() {
			l.nonce = hex.EncodeToString(resp.Data)
		}
	}
	return resp, nil
}

// ask sends hex and gives upper hex. Z is the zero nonce, N that of the last login.
func (l *lab) ask(cmd string) string {
	l.t.Helper()
	if l.heard != nil {
		l.heard(cmd)
	}
	cmd = strings.ReplaceAll(strings.ReplaceAll(cmd, "Z", noNonce), "N", l.nonce)
	resp, err := l.transmit(unhex(l.t, cmd))
	require.NoError(l.t, err, cmd)
	return strings.ToUpper(hex.EncodeToString(resp.Bytes()))
}

// want takes commands and what each is answered: a status word, or "=" and the whole response.
func (l *lab) want(pairs ...string) {
	l.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		got, want := l.ask(pairs[i]), pairs[i+1]
		if !strings.HasPrefix(want, "=") {
			got = got[len(got)-4:]
		}
		require.Equal(l.t, strings.TrimPrefix(want, "="), got, pairs[i])
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err, s)
	return b
}

func upper(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// command prints a command with data in hex behind its length.
func command(head, data string) string {
	n := len(strings.NewReplacer("Z", noNonce, "N", noNonce).Replace(data)) / 2
	return fmt.Sprintf("%s%02X%s", head, n, data)
}

// domain is a security domain that protects nothing.
type domain struct {
	dek   keys.Key
	spare keys.Key // the zero key, which decrypts nothing
	open  bool
	level byte
	rmac  bool
	fails apdu.SW // what INITIALIZE UPDATE is refused with, if not 0
}

func (d *domain) InitializeUpdate(cmd apdu.Command) (apdu.Response, error) {
	switch {
	case d.fails != 0:
		return apdu.Response{SW: d.fails}, nil
	case len(cmd.Data) != 8:
		return apdu.Response{SW: apdu.SW6700}, nil
	}
	return apdu.Response{Data: make([]byte, 28), SW: apdu.SW9000}, nil
}

func (d *domain) ExternalAuthenticate(cmd apdu.Command) (apdu.Response, error) {
	d.open, d.level = true, cmd.P1
	return apdu.Response{SW: apdu.SW9000}, nil
}

func (d *domain) Unwrap(cmd apdu.Command) (apdu.Command, error) {
	if !d.open {
		return cmd, apdu.SW6982
	}
	cmd.CLA = lang.CLAUnwrapped
	return cmd, nil
}

func (d *domain) Wrap(resp apdu.Response) (apdu.Response, error) { return resp, nil }

func (d *domain) RMAC(apdu.Command) (apdu.Response, bool) {
	return apdu.Response{SW: apdu.SW9000}, d.rmac
}

func (d *domain) Authenticated() bool { return d.open }

func (d *domain) Level() byte { return d.level }

func (d *domain) Decrypt(data []byte) ([]byte, error) { return d.dek.DecryptECB(data) }

func (d *domain) wrap(t testing.TB, plain []byte) string {
	t.Helper()
	b, err := d.dek.EncryptECB(plain)
	require.NoError(t, err)
	return upper(b)
}

// life is the life cycle of an instance without a card's rules but the one of its bits.
type life struct{ state gp.AppState }

func (s *life) State() gp.AppState { return s.state }

func (s *life) SetState(n gp.AppState) error {
	if !n.Selectable() {
		return applet.ErrState
	}
	s.state = n
	return nil
}
