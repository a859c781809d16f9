package connector

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
)

// answering gives a handler that counts its requests and answers one body.
func answering(count *atomic.Int64, status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		count.Add(1)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

const randomBody = "status=0&randomData=#01#02"

func TestFailOverGoesByOrderAndComesBack(t *testing.T) {
	ca := newAuthority(t)
	var n [2]atomic.Int64
	first := ca.serve(t, answering(&n[0], 200, randomBody))
	second := ca.serve(t, answering(&n[1], 200, randomBody))
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	dead := closed.Addr().String()
	require.NoError(t, closed.Close())
	hosts := strings.Join([]string{dead, addr(first.URL), addr(second.URL)}, "  ")
	c, _ := ca.client(t, hosts, aesSecret(t), nil)
	now := time.Unix(1000, 0)
	c.now = func() time.Time { return now }

	ask := func() {
		b, err := c.ComputeRandomData(context.Background(), 2)
		require.NoError(t, err)
		assert.Equal(t, []byte{1, 2}, b)
	}
	ask()
	assert.Equal(t, []string{addr(first.URL), addr(second.URL), dead}, c.order())
	ask()
	assert.Equal(t, int64(2), n[0].Load())
	assert.Zero(t, n[1].Load(), "the second host is not asked while the first answers")
	now = now.Add(time.Minute)
	assert.Equal(t, dead, c.order()[0], "a failed host gets its place back")
	first.Close()
	ask()
	assert.Equal(t, int64(1), n[1].Load())
}

func addr(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		panic(err)
	}
	return u.Host
}

func TestServerFaultsMoveOnAndRefusalsDoNot(t *testing.T) {
	ca := newAuthority(t)
	tests := map[string]struct {
		status int
		body   string
		want   error
		tries  int64
	}{
		"fault":          {503, "busy", nil, 1},
		"redirect":       {302, "", nil, 1},
		"oversize":       {200, strings.Repeat("x", maxAnswerBytes+1), nil, 1},
		"refusal":        {200, "status=3", ErrParameter, 0},
		"unauthorized":   {200, "unauthorized=", ErrUnauthorized, 0},
		"not this form":  {200, "<html></html>", ErrProtocol, 0},
		"wrong length":   {200, "status=0&randomData=#01", ErrProtocol, 0},
		"missing value":  {200, "status=0", ErrProtocol, 0},
		"too many bytes": {200, "status=0&randomData=#01#02#03", ErrProtocol, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var n [2]atomic.Int64
			a := ca.serve(t, answering(&n[0], tt.status, tt.body))
			b := ca.serve(t, answering(&n[1], 200, randomBody))
			c, _ := ca.client(t, addr(a.URL)+" "+addr(b.URL), aesSecret(t), nil)
			_, err := c.ComputeRandomData(context.Background(), 2)
			require.ErrorIs(t, err, tt.want)
			assert.Equal(t, int64(1), n[0].Load())
			assert.Equal(t, tt.tries, n[1].Load())
		})
	}
}

func TestNobodyReachable(t *testing.T) {
	ca := newAuthority(t)
	c, _ := ca.client(t, "127.0.0.1:1", aesSecret(t), nil)
	_, err := c.ComputeRandomData(context.Background(), 2)
	require.ErrorIs(t, err, ErrUnavailable)
	assert.ErrorContains(t, err, "127.0.0.1:1")
}

func TestSlowHostTimesOutAndCallerCanCancel(t *testing.T) {
	ca := newAuthority(t)
	release := make(chan struct{})
	asked := make(chan struct{}, 8)
	s := ca.serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer close(release)
	c, _ := ca.client(t, addr(s.URL), aesSecret(t), nil)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-asked; cancel() }()
	_, err := c.ComputeRandomData(ctx, 2)
	require.ErrorIs(t, err, context.Canceled)
	c.timeout = 50 * time.Millisecond
	_, err = c.ComputeRandomData(context.Background(), 2)
	require.ErrorIs(t, err, ErrUnavailable)
}

func TestClientConfigurationIsChecked(t *testing.T) {
	ca := newAuthority(t)
	good := ClientConfig{Hosts: "localhost ::1", Port: 8443, Secret: aesSecret(t),
		TLS: &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "tps")}}}
	c, err := NewTKSClient(good)
	require.NoError(t, err)
	assert.Equal(t, []string{"localhost:8443", "[::1]:8443"}, c.hosts)
	for name, change := range map[string]func(*ClientConfig){
		"no host":   func(c *ClientConfig) { c.Hosts = " " },
		"no port":   func(c *ClientConfig) { c.Port = 0 },
		"no secret": func(c *ClientConfig) { c.Secret = nil },
		"no tls":    func(c *ClientConfig) { c.TLS = nil },
		"no cert":   func(c *ClientConfig) { c.TLS = &tls.Config{} },
		"operation": func(c *ClientConfig) { c.URIs = map[string]string{"other": "/x"} },
		"path":      func(c *ClientConfig) { c.URIs = map[string]string{"encryptData": "x"} },
	} {
		cfg := good
		change(&cfg)
		_, err := NewTKSClient(cfg)
		require.Error(t, err, name)
	}
}

// oldTKS answers SCP02 as a foreign TKS does: one constant a call, no look at the card.
func oldTKS(t *testing.T, s *SharedSecret, sk keys.SessionKeys, asked *[]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		constant := r.FormValue("derivationConstant")
		*asked = append(*asked, constant)
		b, err := s.Wrap(constantKey(sk, constant))
		assert.NoError(t, err)
		_, _ = fmt.Fprintf(w, "status=0&sessionKey=%s", EncodeHex(b))
	})
}

func TestSCP02WithAForeignTKS(t *testing.T) {
	ca, secret := newAuthority(t), aesSecret(t)
	k := func(s string) keys.Key {
		out, err := keys.New(keys.DES3, []byte(s))
		require.NoError(t, err)
		return out
	}
	sk := keys.SessionKeys{SENC: k("ENC-ENC-ENC-ENC-"), SMAC: k("MAC-MAC-MAC-MAC-"),
		SRMAC: k("RMACRMACRMACRMAC"), SDEK: k("DEK-DEK-DEK-DEK-")}
	req := SessionKeyRequest{SCP: 2, I: 0x55, Info: keys.KeyInfo{KVN: 1, SCP: 2},
		HostChallenge: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, CardChallenge: []byte{9, 8, 7, 6, 5, 4},
		Seq: []byte{0, 1}}
	var err error
	req.CardCryptogram, err = sk.SENC.FullMAC([8]byte{},
		[]byte{1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 9, 8, 7, 6, 5, 4})
	require.NoError(t, err)
	host, err := sk.SENC.FullMAC([8]byte{}, []byte{0, 1, 9, 8, 7, 6, 5, 4, 1, 2, 3, 4, 5, 6, 7, 8})
	require.NoError(t, err)

	var asked []string
	s := ca.serve(t, oldTKS(t, secret, sk, &asked))
	c, _ := ca.client(t, addr(s.URL), secret, nil)
	res, err := c.ComputeSessionKey(context.Background(), req)
	require.NoError(t, err)
	assert.Equal(t, []string{"#01#82", "#01#01", "#01#81"}, asked)
	assert.Equal(t, host, res.HostCryptogram)
	assert.True(t, sk.SENC.Equal(res.Keys.SENC))
	assert.True(t, sk.SMAC.Equal(res.Keys.SMAC))
	assert.True(t, sk.SDEK.Equal(res.Keys.SDEK))

	req.I, asked = 0x75, nil
	res, err = c.ComputeSessionKey(context.Background(), req)
	require.NoError(t, err)
	assert.Equal(t, []string{"#01#82", "#01#01", "#01#02", "#01#81"}, asked)
	assert.True(t, sk.SRMAC.Equal(res.Keys.SRMAC))

	req.CardCryptogram[0] ^= 1
	asked = nil
	_, err = c.ComputeSessionKey(context.Background(), req)
	require.ErrorIs(t, err, ErrCardCryptogram)
	assert.Equal(t, []string{"#01#82"}, asked, "no key is asked for after a wrong card")
}

func TestLegacySecret(t *testing.T) {
	s := secretOf(t, keys.DES3, "0123456789abcdef")
	assert.True(t, s.Legacy())
	des, err := keys.New(keys.DES3, []byte("sixteen byte key"))
	require.NoError(t, err)
	wrapped, err := s.Wrap(des)
	require.NoError(t, err)
	raw, err := keys.New(keys.DES3, []byte("0123456789abcdef"))
	require.NoError(t, err)
	want, err := raw.EncryptECB([]byte("sixteen byte key"))
	require.NoError(t, err)
	assert.Equal(t, want, wrapped)
	got, err := s.Unwrap(keys.DES3, wrapped, 0)
	require.NoError(t, err)
	assert.True(t, des.Equal(got))
}

func TestUnwrapBounds(t *testing.T) {
	s := aesSecret(t)
	for _, n := range []int{0, 8, 15, 17, 24, 31, 48} {
		for _, alg := range []keys.Algorithm{keys.DES3, keys.AES} {
			_, err := s.Unwrap(alg, make([]byte, n), 0)
			require.Error(t, err, "%v %d", alg, n)
		}
	}
	_, err := s.Unwrap(keys.DES3, make([]byte, 32), 0)
	require.Error(t, err)
	_, err = s.Unwrap(keys.AES, make([]byte, 32), 128)
	require.Error(t, err)
	_, err = s.Wrap(keys.Key{})
	require.Error(t, err)
	_, err = NewSharedSecret(nil)
	require.Error(t, err)
	_, err = NewSharedSecret(keys.Key{})
	require.Error(t, err)
	assert.NotErrorIs(t, err, ErrProtocol)
}
