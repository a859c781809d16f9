package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/features/loopback"
	"tokenwright/fixtures/applets"
	"tokenwright/simcard"
	"tokenwright/simcard/stock"
	"tokenwright/tms/esc"
	"tokenwright/tms/instance"
	"tokenwright/tms/wire"
)

// deadline bounds every wait of these tests.
const deadline = 30 * time.Second

// process is a running command.
type process struct {
	cmd *exec.Cmd
	mu  sync.Mutex
	log bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// start runs the command in a process of its own until the test ends.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	p := &process{cmd: exec.Command(exe, args...)}
	p.cmd.Env = append(os.Environ(), asCommand+"=1")
	p.cmd.Stdout, p.cmd.Stderr = p, p
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		if t.Failed() {
			t.Logf("%v said:\n%s", args, p.output())
		}
	})
	return p
}

// stop asks the process to end and gives its exit code.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	timer := time.AfterFunc(deadline, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

func freeAddr(t *testing.T) string {
	t.Helper()
	port, err := loopback.Port()
	require.NoError(t, err)
	return loopback.Addr(port)
}

// site is an instance whose TKS and TPS run as two processes.
type site struct {
	dir, url string
	tls      *tls.Config
	tks, tps *process
}

func newSite(t *testing.T, config string) site {
	t.Helper()
	s := site{dir: filepath.Join(t.TempDir(), "instance")}
	tpsAddr, tksAddr := freeAddr(t), freeAddr(t)
	code, _, errOut := tms("init", s.dir, "--tps-listen", tpsAddr, "--tks-listen", tksAddr)
	require.Zero(t, code, errOut)
	f, err := os.OpenFile(filepath.Join(s.dir, "tps", "CS.cfg"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(config)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	for _, v := range applets.Versions() {
		file, err := applets.File(v)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(s.dir, "tps", "applets", v+".ijc"), file, 0o600))
	}
	ca, err := os.ReadFile(filepath.Join(s.dir, "ca", "ca.crt"))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(ca))
	s.url, s.tls = "https://"+tpsAddr, &tls.Config{RootCAs: pool}
	s.tks = start(t, "serve", "tks", "--dir", s.dir)
	s.tps = start(t, "serve", "tps", "--dir", s.dir)
	return s
}

// health asks the TPS how it is.
func (s site) health() (instance.Health, error) {
	tr := &http.Transport{TLSClientConfig: s.tls}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr, Timeout: deadline}).Get(s.url + instance.PathHealth)
	if err != nil {
		return instance.Health{}, err
	}
	defer res.Body.Close()
	var h instance.Health
	err = json.NewDecoder(res.Body).Decode(&h)
	return h, err
}

// waitHealthy waits until the TPS serves and its TKS answers it.
func (s site) waitHealthy(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		h, err := s.health()
		return err == nil && h.Status == "ok" && h.Needs["tks1"] == "ok"
	}, deadline, 50*time.Millisecond)
}

// TestTwoProcessesFormatCards formats a card of each protocol with key changeover to version 2,
// formats it again with version 2, and goes back to the vendor's keys; TKS and TPS are processes
// that know each other over mutual TLS alone.
func TestTwoProcessesFormatCards(t *testing.T) {
	const config = `
op.format.cleanToken.update.symmetricKeys.enable=true
op.format.cleanToken.update.symmetricKeys.requiredVersion=2
op.format.soCleanUserToken.update.symmetricKeys.enable=true
op.format.soCleanUserToken.update.symmetricKeys.requiredVersion=2
op.format.soCleanUserToken.tks.keySet=aesKeySet
op.format.soCleanSOToken.update.symmetricKeys.enable=true
op.format.soCleanSOToken.update.symmetricKeys.requiredVersion=1
op.format.soUserKey.update.symmetricKeys.enable=true
op.format.soUserKey.update.symmetricKeys.requiredVersion=1
op.format.soUserKey.tks.keySet=aesKeySet
`
	s := newSite(t, config)
	s.waitHealthy(t)
	for _, tt := range []struct{ stock, forward, back string }{
		{"gp211-scp01", "cleanToken", "soCleanSOToken"},
		{"gp211-scp02", "cleanToken", "soCleanSOToken"},
		{"sce6-scp03", "cleanToken", "soCleanSOToken"},
		{"sce7-scp03", "soCleanUserToken", "soUserKey"},
	} {
		t.Run(tt.stock, func(t *testing.T) {
			kind, err := stock.ByName(tt.stock)
			require.NoError(t, err)
			card, err := simcard.New(kind, simcard.WithSeed(7))
			require.NoError(t, err)
			defer card.Close()
			for _, typ := range []string{tt.forward, tt.forward, tt.back} {
				require.NoError(t, card.PowerOn())
				client := esc.Client{URL: s.url, TLS: s.tls}
				ctx, cancel := context.WithTimeout(context.Background(), deadline)
				_, err = client.Run(ctx, esc.Request{Operation: wire.OpFormat, TokenType: typ,
					ATR: card.ATR()}, card)
				cancel()
				require.NoError(t, err, typ)
			}
			assert.Contains(t, s.tks.output(), fmt.Sprintf("cuid=%s", card.CUID()))
		})
	}
	log := s.tks.output()
	assert.Contains(t, log, "create key set data for version 02")
	assert.Contains(t, log, "create key set data for version 01")
	assert.NotContains(t, log, "outcome=refused status=5")
	assert.Zero(t, s.tps.stop(t))
	assert.Zero(t, s.tks.stop(t))
	assert.Contains(t, s.tps.output(), "stopped")
}

func TestTPSOutlivesItsTKS(t *testing.T) {
	s := newSite(t, "")
	s.waitHealthy(t)
	assert.Zero(t, s.tks.stop(t))
	require.Eventually(t, func() bool {
		h, err := s.health()
		return err == nil && h.Status == "failed"
	}, deadline, 100*time.Millisecond)
	s.tks = start(t, "serve", "tks", "--dir", s.dir)
	s.waitHealthy(t)
	assert.Zero(t, s.tps.stop(t))
}
