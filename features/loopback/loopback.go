// Package loopback finds addresses for servers that have to be told where to listen before they start.
// Whoever can listen on port 0 and ask afterwards does that instead.
package loopback

import (
	"errors"
	"fmt"
	"net"
	"os"
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

// stride spreads the processes that run at a time over the ports: their numbers are neighbours.
const stride = 149

var (
	mu   sync.Mutex
	next = os.Getpid() * stride
)

// Port finds a TCP port on which nobody listens on 127.0.0.1. Processes that run at a time start
// their search at places of their own, and none gets a port again before it has had all.
func Port() (int, error) {
	mu.Lock()
	defer mu.Unlock()
	for range attempts {
		port := lowest + next%(highest-lowest)
		next++
		if free(port) {
			return port, nil
		}
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
