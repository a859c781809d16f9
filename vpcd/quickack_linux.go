package vpcd

import "syscall"

// quickAck turns delayed acknowledgements off for what arrives next (tcp(7), TCP_QUICKACK).
var quickAck = func(fd uintptr) {
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
}
