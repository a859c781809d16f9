//go:build !linux

package vpcd

// quickAck is nil where the system has no such setting; plain sockets serve.
var quickAck func(fd uintptr)
