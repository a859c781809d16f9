package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/simcard/stock"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/perso"
)

// personalized runs the command in a folder of its own and gives what --json said.
func personalized(t *testing.T, stockName, stdin string, args ...string) made {
	t.Helper()
	dir := t.TempDir()
	args = append([]string{
		"personalize", "--stock", stockName, "--state", filepath.Join(dir, "card"),
		"--cert-out", filepath.Join(dir, "certs"), "--json",
	}, args...)
	code, out, errOut := execute(t, stdin, args...)
	require.Zero(t, code, errOut)
	require.Empty(t, errOut)
	var m made
	require.NoError(t, json.Unmarshal([]byte(out), &m))
	return m
}

// inReader opens the card as "simcard run" does and selects its applet.
func inReader(t *testing.T, m made) *simcard.Card {
	t.Helper()
	c, err := simcard.Open(m.State)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.NoError(t, c.PowerOn())
	require.Equal(t, m.CUID, c.CUID().String())
	require.Equal(t, m.Stock, c.Stock().Name)
	require.NoError(t, perso.SelectApplet(t.Context(), c, coolkey.AppletAID))
	return c
}

// ask sends a command and wants 9000.
func ask(t *testing.T, c *simcard.Card, cmd apdu.Command) []byte {
	t.Helper()
	raw, err := cmd.Bytes()
	require.NoError(t, err)
	answer, err := c.Transmit(t.Context(), raw)
	require.NoError(t, err)
	resp, err := apdu.ParseResponse(answer)
	require.NoError(t, err)
	require.NoError(t, resp.Err())
	return resp.Data
}

func certificate(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	block, rest := pem.Decode(text)
	require.NotNil(t, block, path)
	require.Empty(t, rest)
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return cert
}

// verifies checks that the certificates are the authority's and good for what they are for.
func verifies(t *testing.T, m made) {
	t.Helper()
	roots := x509.NewCertPool()
	ca := certificate(t, m.CA)
	require.True(t, ca.IsCA)
	roots.AddCert(ca)
	usage := map[string]x509.ExtKeyUsage{"encryption": x509.ExtKeyUsageEmailProtection}
	for _, k := range m.Keys {
		cert := certificate(t, k.Certificate)
		want, ok := usage[k.Purpose]
		if !ok {
			want = x509.ExtKeyUsageClientAuth
		}
		_, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{want}})
		require.NoError(t, err)
		require.Equal(t, m.User, cert.Subject.CommonName)
		require.False(t, cert.IsCA)
	}
}

// uses proves that the private key of a certificate is on the card: what it makes of a block is
// undone by the public key.
func uses(t *testing.T, c *simcard.Card, k madeKey, pin string) {
	t.Helper()
	key, ok := certificate(t, k.Certificate).PublicKey.(*rsa.PublicKey)
	require.True(t, ok)
	nonce, err := coolkey.ParseNonce(ask(t, c, coolkey.VerifyPIN{PIN: []byte(pin)}.Command()))
	require.NoError(t, err)
	block := append([]byte{0}, bytes.Repeat([]byte{0xA5}, key.Size()-1)...)
	require.LessOrEqual(t, key.Size(), 128, "a block that fits the command")
	out := ask(t, c, coolkey.ComputeCrypt{
		Slot: byte(k.PrivateSlot), Op: coolkey.CryptOneStep, Direction: coolkey.DirectionDecrypt,
		Location: coolkey.LocationAPDU, Data: block, Auth: coolkey.Auth{Nonce: nonce},
	}.Command())
	back := new(big.Int).Exp(new(big.Int).SetBytes(out[2:]), big.NewInt(int64(key.E)), key.N)
	require.Equal(t, block, back.FillBytes(make([]byte, key.Size())))
}

var smallKeys = []string{"--key", "rsa1024", "--key", "rsa1024"}

func TestPersonalize(t *testing.T) {
	for _, s := range stock.Names() {
		for _, how := range []string{"--on-card", "--imported"} {
			t.Run(s+" "+how, func(t *testing.T) {
				m := personalized(t, s, "", append(smallKeys, how)...)
				require.Equal(t, "alice", m.User)
				require.Equal(t, defaultPIN, m.PIN)
				verifies(t, m)
				c := inReader(t, m)

				life, err := coolkey.ParseLifeCycle(ask(t, c, coolkey.GetLifeCycle{Ne: 4}.Command()))
				require.NoError(t, err)
				require.Equal(t, coolkey.LifeCycle{
					State: coolkey.StatePersonalized, Flags: coolkey.FlagPIN, ProtocolMajor: 1,
					ProtocolMinor: 1, Long: true,
				}, life)
				require.Equal(t, issuerURL,
					coolkey.IssuerText(ask(t, c, coolkey.GetIssuerInfo{}.Command())))
				a, err := perso.ReadApplet(t.Context(), c, coolkey.AppletAID)
				require.NoError(t, err)
				require.Equal(t, m.Applet, a.Version())

				got, form, err := perso.ReadContent(t.Context(), perso.User{Card: c})
				require.NoError(t, err)
				require.Equal(t, perso.CombinedContent, form)
				require.Equal(t, c.CUID(), got.CUID)
				require.Equal(t, "alice", got.TokenName)
				require.Equal(t, []coolkey.SlotPair{{Private: 2, Public: 3}, {Private: 4, Public: 5}},
					got.Pairs())
				require.Len(t, m.Keys, 2)
				for i, k := range m.Keys {
					require.Equal(t, certificate(t, k.Certificate).Raw, got.Certificates[i].DER)
					require.Equal(t, k.Label, got.Certificates[i].Label)
					require.Equal(t, how == "--on-card", k.OnCard)
					uses(t, c, k, defaultPIN)
				}
				require.Equal(t, "signing key for alice", m.Keys[0].Label)
				require.Equal(t, content.Fixed(0x1301B1), got.Keys[1].Fixed)
				require.Equal(t, content.Fixed(0x10A1B2), got.Keys[3].Fixed)
			})
		}
	}
}

func TestPersonalizeForms(t *testing.T) {
	m := personalized(t, "gp211-scp01", "", append(smallKeys, "--legacy-objects")...)
	require.Equal(t, "separate", m.Objects)
	require.Nil(t, m.Version)
	got, form, err := perso.ReadContent(t.Context(), perso.User{Card: inReader(t, m)})
	require.NoError(t, err)
	require.Equal(t, perso.SeparateContent, form)
	require.Len(t, got.Pairs(), 2)

	for want, args := range map[byte][]string{0: {"--no-compress"}, 1: nil} {
		m = personalized(t, "gp211-scp01", "", append(smallKeys, args...)...)
		head, err := perso.ReadObject(t.Context(), perso.User{Card: inReader(t, m)},
			coolkey.ObjectCombined, content.HeaderLen)
		require.NoError(t, err)
		require.Equal(t, want, head[15], "compression")
		h, err := content.ParseHeader(head)
		require.NoError(t, err)
		require.Equal(t, *m.Version, h.Version)
	}
}

func TestPersonalizeOnCurves(t *testing.T) {
	m := personalized(t, "sce7-scp03", "", "--key", "p256", "--key", "p384", "--key", "p521",
		"--user", "Bob Müller")
	verifies(t, m)
	require.Equal(t, "authentication key for Bob Müller", m.Keys[2].Label)
	got, _, err := perso.ReadContent(t.Context(), perso.User{Card: inReader(t, m)})
	require.NoError(t, err)
	require.Equal(t, "Bob Müller", got.TokenName)
	for i, bits := range []int{256, 384, 521} {
		key := certificate(t, m.Keys[i].Certificate).PublicKey.(*ecdsa.PublicKey)
		require.Equal(t, bits, key.Params().BitSize)
		point, err := key.Bytes()
		require.NoError(t, err)
		require.Equal(t, point, got.Keys[2*i].ECPoint)
	}
	require.True(t, got.Keys[3].Fixed.Has(content.Derive))
}

func TestPersonalizeSevenKeys(t *testing.T) {
	var args []string
	for range maxSpecs {
		args = append(args, "--key", "p256")
	}
	for _, form := range []string{"--no-compress", "--legacy-objects"} {
		m := personalized(t, "gp211-scp02", "", append(args, form)...)
		verifies(t, m)
		require.Equal(t, "authentication-5", m.Keys[6].Purpose)
		require.Equal(t, 14, m.Keys[6].PrivateSlot)
		got, _, err := perso.ReadContent(t.Context(), perso.User{Card: inReader(t, m)})
		require.NoError(t, err)
		require.Len(t, got.Pairs(), 7)
	}
}

func TestPersonalizePIN(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pin")
	require.NoError(t, os.WriteFile(file, []byte("file pin\r\nmore\n"), 0o600))
	for pin, args := range map[string][]string{
		"file pin": {"--pin-file", file}, "0x1F": {"--pin-stdin"},
	} {
		m := personalized(t, "gp211-scp01", "0x1F", append(args, "--key", "rsa1024")...)
		require.Empty(t, m.PIN, "a PIN that was given is not shown")
		uses(t, inReader(t, m), m.Keys[0], pin)
	}
}

// The same seed makes the same card and the same certificates, to the byte.
func TestPersonalizeSeed(t *testing.T) {
	for _, args := range [][]string{
		{"--key", "rsa1024", "--key", "rsa1024", "--imported"}, {"--key", "rsa1024", "--key", "p256"},
	} {
		var files [3][]string
		for i, seed := range []string{"7", "7", "8"} {
			m := personalized(t, "gp211-scp02", "", append(args, "--seed", seed)...)
			for _, path := range []string{
				m.State, m.CA, m.Keys[0].Certificate, m.Keys[1].Certificate,
			} {
				b, err := os.ReadFile(path)
				require.NoError(t, err)
				files[i] = append(files[i], string(b))
			}
		}
		require.Equal(t, files[0], files[1])
		for i := range files[0] {
			require.NotEqual(t, files[0][i], files[2][i])
		}
	}
}

func TestPersonalizeTellsWhatToDoNext(t *testing.T) {
	state := filepath.Join(t.TempDir(), "card")
	code, out, errOut := execute(t, "", "personalize", "--stock", "gp211-scp01", "--state", state,
		"--key", "rsa1024")
	require.Zero(t, code, errOut)
	for _, want := range []string{"1234", "simcard run --state " + state, "pkcs11-tool", "thrown away"} {
		require.Contains(t, out, want)
	}
	code, out, errOut = execute(t, "secret pin", "personalize", "--stock", "gp211-scp01",
		"--state", state+"2", "--key", "rsa1024", "--pin-stdin")
	require.Zero(t, code, errOut)
	require.NotContains(t, out, "secret")
}

func TestPersonalizeRefuses(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "card")
	taken := filepath.Join(dir, "taken")
	require.NoError(t, os.WriteFile(taken, []byte("dear to somebody"), 0o600))
	certs := filepath.Join(dir, "certs")
	require.NoError(t, os.Mkdir(certs, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(certs, "signing.pem"), nil, 0o600))
	long := strings.Repeat("x", 65)
	base := []string{"--stock", "gp211-scp01", "--state", state, "--key", "rsa1024"}
	for name, tt := range map[string]struct {
		stdin string
		args  []string
		code  int
		want  string
	}{
		"no stock":         {"", []string{"--state", state}, 2, "--stock"},
		"no state":         {"", []string{"--stock", "gp211-scp01"}, 2, "--state"},
		"unknown stock":    {"", []string{"--stock", "x", "--state", state}, 2, "unknown stock"},
		"state exists":     {"", []string{"--stock", "gp211-scp01", "--state", taken}, 2, "left alone"},
		"state is a dir":   {"", []string{"--stock", "gp211-scp01", "--state", dir}, 2, "left alone"},
		"no such folder":   {"", []string{"--stock", "gp211-scp01", "--state", dir + "/a/b", "--key", "p256"}, 1, "no such file"},
		"unknown key":      {"", append(base, "--key", "rsa4096"), 2, "rsa4096"},
		"eight keys":       {"", append(base, strings.Fields(strings.Repeat("--key p256 ", 7))...), 2, "want 1 to 7"},
		"EC imported":      {"", append(base, "--key", "p256", "--imported"), 2, "RSA keys alone"},
		"both ways":        {"", append(base, "--on-card", "--imported"), 2, "exclude"},
		"both forms":       {"", append(base, "--legacy-objects", "--no-compress"), 2, "--no-compress"},
		"two PINs":         {"1234", append(base, "--pin-stdin", "--pin-file", taken), 2, "exclude"},
		"no PIN file":      {"", append(base, "--pin-file", dir+"/none"), 2, "--pin-file"},
		"short PIN":        {"123", append(base, "--pin-stdin"), 2, "3 bytes"},
		"no PIN":           {"", append(base, "--pin-stdin"), 2, "0 bytes"},
		"long PIN":         {strings.Repeat("z", 17), append(base, "--pin-stdin"), 2, "17 bytes"},
		"endless PIN":      {strings.Repeat("z", 1<<20), append(base, "--pin-stdin"), 2, "1024 bytes"},
		"no user":          {"", append(base, "--user", ""), 2, "--user"},
		"long user":        {"", append(base, "--user", long), 2, "--user"},
		"control in user":  {"", append(base, "--user", "a\x1bb"), 2, "--user"},
		"an argument":      {"", append(base, "x"), 2, "unknown command"},
		"an unknown flag":  {"", append(base, "--x"), 2, "unknown flag"},
		"certs are a file": {"", append(base, "--cert-out", taken), 2, "is no folder"},
		"certs are there":  {"", append(base, "--cert-out", certs), 2, "signing.pem: there is something"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := execute(t, tt.stdin, append([]string{"personalize"}, tt.args...)...)
			require.Equal(t, tt.code, code, errOut)
			require.Contains(t, errOut, tt.want)
			require.Empty(t, out)
			require.NotContains(t, errOut, "zzz", "no PIN is shown")
			require.NoFileExists(t, state)
		})
	}
	b, err := os.ReadFile(taken)
	require.NoError(t, err)
	require.Equal(t, "dear to somebody", string(b))
}
