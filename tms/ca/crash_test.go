package ca_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/ca"
	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/ca/profile"
	"tokenwright/tms/connector"
)

// crashDir names, in the environment of the child process, the directory with key, certificate and
// database of the CA that it is to run until it is killed.
const crashDir = "TOKENWRIGHT_TEST_CRASH_DIR"

const crashWorkers = 8

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		fmt.Fprintln(os.Stderr, issueForEver(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// openCrashed opens the CA of a directory.
func openCrashed(ctx context.Context, dir string) (*ca.Authority, error) {
	text, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return nil, err
	}
	keyBlock, rest := pem.Decode(text)
	certBlock, rest := pem.Decode(rest)
	spkiBlock, _ := pem.Decode(rest)
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, err
	}
	crashSPKI = spkiBlock.Bytes
	db, err := certdb.Open(ctx, filepath.Join(dir, "ca.db"))
	if err != nil {
		return nil, err
	}
	set, err := profile.Defaults()
	if err != nil {
		return nil, err
	}
	return ca.New(ca.Options{Name: "ca1", Key: key, Certificate: cert, DB: db,
		Profiles: profile.Set{signing: set[signing]}})
}

// crashSPKI is the key that every certificate of the crash test is for.
var crashSPKI []byte

func crashRequest(worker, n int) connector.EnrollRequest {
	return connector.EnrollRequest{RequestID: fmt.Sprintf("%d.%d", worker, n), ProfileID: signing,
		UserID: fmt.Sprintf("user%d", worker), CUID: [10]byte{1}, PublicKey: crashSPKI}
}

// issueForEver issues certificates and revokes every third; after each it prints what the CA has
// promised to keep: request, serial number, and the certificate.
func issueForEver(dir string) error {
	ctx := context.Background()
	a, err := openCrashed(ctx, dir)
	if err != nil {
		return err
	}
	failed := make(chan error)
	var output sync.Mutex
	for w := range crashWorkers {
		go func() {
			failed <- issueFrom(ctx, a, w, func(line string) {
				output.Lock()
				defer output.Unlock()
				fmt.Fprintln(os.Stdout, line)
			})
		}()
	}
	return <-failed
}

func issueFrom(ctx context.Context, a *ca.Authority, w int, promise func(string)) error {
	for n := 0; ; n++ {
		out, err := a.Enroll(ctx, crashRequest(w, n))
		if err != nil {
			return err
		}
		promise(fmt.Sprintf("%d %d %s %x.", w, n, out.Serial, out.DER))
		if n%3 == 2 {
			if err := a.Revoke(ctx, connector.RevokeRequest{Serial: out.Serial, Reason: 4}); err != nil {
				return err
			}
			promise(fmt.Sprintf("%d %d revoked .", w, n))
		}
	}
}

// promise is what the child said about one request.
type promise struct {
	serial  connector.Serial
	der     []byte
	revoked bool
}

// TestKilledWhileIssuing kills a CA that issues as fast as it can, several times over the same
// database. What it gave out is on record, to the byte; nothing that was begun is a second
// certificate; and whoever asks again gets what he was given.
func TestKilledWhileIssuing(t *testing.T) {
	l := newLab(t, "p256", nil)
	dir := t.TempDir()
	key, err := x509.MarshalECPrivateKey(asECDSA(t, l.opts.Key))
	require.NoError(t, err)
	var text []byte
	for _, b := range []*pem.Block{{Type: "EC PRIVATE KEY", Bytes: key},
		{Type: "CERTIFICATE", Bytes: l.opts.Certificate.Raw}, {Type: "PUBLIC KEY", Bytes: spki(t, "ec")}} {
		text = append(text, pem.EncodeToMemory(b)...)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), text, 0o600))
	given := map[[2]int]promise{}
	for round := range 4 {
		killIssuer(t, dir, 120+61*round, given)
		checkPromises(t, dir, given)
	}
	t.Logf("%d certificates were promised before the kills", len(given))
}

// killIssuer runs the child until it has promised so much, then kills it.
func killIssuer(t *testing.T, dir string, promises int, given map[[2]int]promise) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	fresh := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line, whole := strings.CutSuffix(lines.Text(), ".")
		if !whole {
			break // the last line may be cut
		}
		f := strings.Fields(line)
		w, err := strconv.Atoi(f[0])
		require.NoError(t, err)
		n, err := strconv.Atoi(f[1])
		require.NoError(t, err)
		p, known := given[[2]int{w, n}]
		if f[2] == "revoked" {
			p.revoked = true
		} else {
			der, err := hex.DecodeString(f[3])
			require.NoError(t, err)
			if known {
				require.Equal(t, p.der, der, "asked again after a crash: the same certificate")
			} else {
				fresh++
			}
			p.serial, p.der = connector.Serial(f[2]), der
		}
		given[[2]int{w, n}] = p
		if fresh == promises {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	require.Error(t, cmd.Wait(), "the child is killed")
	require.GreaterOrEqual(t, fresh, promises, "the child ended before it was killed")
}

func checkPromises(t *testing.T, dir string, given map[[2]int]promise) {
	t.Helper()
	a, err := openCrashed(t.Context(), dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, a.DB().Close()) }()
	for at, p := range given {
		c, err := a.Certificate(t.Context(), p.serial)
		require.NoError(t, err)
		require.Equal(t, p.der, c.DER)
		if p.revoked {
			require.Equal(t, connector.CertificateRevoked, c.State)
		}
		rec, err := a.DB().ByRequest(t.Context(), fmt.Sprintf("%d.%d", at[0], at[1]))
		require.NoError(t, err)
		require.Equal(t, p.serial, rec.Serial)
	}
	// What was begun and not finished is finished for whoever asks for it, under its serial number.
	state := certdb.ToBeSigned
	begun, err := a.DB().List(t.Context(), certdb.Query{State: &state})
	require.NoError(t, err)
	require.LessOrEqual(t, len(begun), crashWorkers)
	for _, rec := range begun {
		var w, n int
		_, err := fmt.Sscanf(rec.RequestID, "%d.%d", &w, &n)
		require.NoError(t, err)
		out, err := a.Enroll(t.Context(), crashRequest(w, n))
		require.NoError(t, err)
		require.Equal(t, rec.Serial, out.Serial)
	}
}
