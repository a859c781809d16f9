package esc

import (
	"fmt"
	"net/netip"
	"net/url"
)

// DefaultPath is where a TPS answers clients.
const DefaultPath = "/tps/tps"

// ParseURL checks the address of a TPS or of a phone home page: https, or http to this very
// machine, because everything a person types would otherwise travel in the clear. A TPS
// address without a path gets DefaultPath.
func ParseURL(raw string) (*url.URL, error) {
	u, err := parseAddress(raw)
	if err != nil {
		return nil, err
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = DefaultPath
	}
	return u, nil
}

func parseAddress(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return nil, fmt.Errorf("%w: want https://HOST[:PORT]%s", ErrURL, DefaultPath)
	case u.User != nil:
		return nil, fmt.Errorf("%w: a user name or password does not belong into it", ErrURL)
	case u.Scheme == "https":
	case u.Scheme == "http" && isLoopback(u.Hostname()):
	case u.Scheme == "http":
		return nil, fmt.Errorf("%w: plain http is for this machine only, use https for %s",
			ErrURL, u.Host)
	default:
		return nil, fmt.Errorf("%w: want https://HOST[:PORT]%s", ErrURL, DefaultPath)
	}
	u.Fragment = ""
	return u, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
