package connector

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/url"
	"time"
)

// ClientConfig says how a TPS reaches a TKS. Its fields answer to tps.connector.<id>.* keys.
type ClientConfig struct {
	// Hosts is a blank-separated list of host:port, or of hosts when Port is set, tried in order.
	Hosts string
	Port  int // for entries of Hosts without one
	// URIs overrides paths by operation name (computeSessionKey, createKeySetData, encryptData,
	// computeRandomData).
	URIs map[string]string
	TLS  *tls.Config // must trust the TKS's CA and hold the TPS's client certificate
	// Secret is shared with the TKS.
	Secret *SharedSecret
	// Timeout bounds one request to one host; 0 means DefaultTimeout.
	Timeout  time.Duration
	MaxConns int           // to one host; 0 means 15
	Retry    time.Duration // how long a host that failed is tried last; 0 means 10 s
	KeySet   string        // used when a request names none; "" means DefaultKeySet
	Log      *slog.Logger  // nil discards
}

// TKSClient asks a TKS over HTTPS in the wire form, and is a TKS to its caller. The zero value is
// of no use; see NewTKSClient.
type TKSClient struct {
	*peer
	secret *SharedSecret
	keySet string
}

// NewTKSClient checks cfg and gives a client. It connects to nobody yet.
func NewTKSClient(cfg ClientConfig) (*TKSClient, error) {
	if cfg.Secret == nil {
		return nil, errors.New("connector to the token key service has no shared secret")
	}
	p, err := newPeer("token key service", PeerConfig{Hosts: cfg.Hosts, Port: cfg.Port,
		URIs: cfg.URIs, TLS: cfg.TLS, Timeout: cfg.Timeout, MaxConns: cfg.MaxConns,
		Retry: cfg.Retry, Log: cfg.Log}, map[string]string{
		opSessionKey: PathComputeSessionKey, opKeySetData: PathCreateKeySetData,
		opEncryptData: PathEncryptData, opRandomData: PathComputeRandomData,
	})
	if err != nil {
		return nil, err
	}
	if cfg.Secret.Legacy() {
		p.log.Warn("secret shared with the token key service is a DES3 key; replace it by AES")
	}
	return &TKSClient{peer: p, secret: cfg.Secret, keySet: orDefault(cfg.KeySet, DefaultKeySet)}, nil
}

// ask sends a request and reads the answer; every request may be repeated.
func (c *TKSClient) ask(ctx context.Context, op string, form url.Values) (answer, error) {
	body, err := c.send(ctx, op, form)
	if err != nil {
		return nil, err
	}
	return readAnswer(body)
}
