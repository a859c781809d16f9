package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// trust makes a TLS configuration that trusts the certificates in file alone, or the system's
// roots if file is empty.
func trust(file string) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if file == "" {
		return conf, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading certificate authorities: %w", err)
	}
	conf.RootCAs = x509.NewCertPool()
	if !conf.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("reading certificate authorities: %s holds no certificate in PEM", file)
	}
	return conf, nil
}
