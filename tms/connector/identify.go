package connector

import "crypto/tls"

// Identifier gives a function that names the listed client at the other end of a TLS connection,
// for handlers that are no connector's. Only a certificate that the TLS configuration verified
// counts; a stranger has no name. Secrets of the entries are not used.
func Identifier(clients []Client) (func(*tls.ConnectionState) (name string, ok bool), error) {
	list := make([]allowed, 0, len(clients))
	for _, c := range clients {
		a, err := newAllowed(c)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return func(state *tls.ConnectionState) (string, bool) {
		c := findClient(list, state)
		if c == nil {
			return "", false
		}
		return c.Name, true
	}, nil
}
