// Package loopback finds addresses for servers that have to be told where to listen before they start.
// Whoever can listen on port 0 and ask afterwards does that instead.
package loopback

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports given out. They lie below those that systems take for connections (32768 and up with Linux,
// 49152 and up elsewhere): there, any program that connects could take the port between the moment it
// was found free and the moment its server listens.
const (
	lowest  = 20000
	highest = 32000
)

// attempts bounds the search: so many ports in use one after the other is no accident.
const attempts = 1000

var (
	mu    sync.Mutex
	given = map[int]bool{}
)

// Port finds a TCP port on which nobody listens on 127.0.0.1. A process gets none twice, and
// two processes seldom get the same, as the search starts anywhere.
func Port() (int, error) {
	mu.Lock()
	defer mu.Unlock()
	for range attempts {
		port := lowest + rand.IntN(highest-lowest)
		if given[port] || !free(port) {
			continue
		}
		given[port] = true
		return port, nil
	}
	return 0, errors.New("no free port on loopback")
}

// Addr is the address of a port on loopback, as host and port.
func Addr(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func free(port int) bool {
	l, err := net.Listen("tcp", Addr(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
