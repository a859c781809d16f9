package vpcd

import (
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkSocket: APDUs through Listen and Dial, beside the same bytes thrown back and forth over
// bare TCP sockets.
func BenchmarkSocket(b *testing.B) {
	for _, size := range []int{5, 255} {
		cmd := make([]byte, size)
		b.Run(fmt.Sprintf("bytes=%d/ours", size), func(b *testing.B) { benchReader(b, cmd) })
		b.Run(fmt.Sprintf("bytes=%d/baseline", size), func(b *testing.B) { benchTCP(b, size) })
	}
}

func benchReader(b *testing.B, cmd []byte) {
	r, err := Listen("127.0.0.1:0")
	require.NoError(b, err)
	defer func() { require.NoError(b, r.Close()) }()
	go func() { _ = Dial(b.Context(), r.Addr().String(), new(Echo), Options{}) }()
	require.NoError(b, r.WaitCard(b.Context()))
	_, err = r.PowerOn(b.Context())
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		rsp, err := r.Transmit(b.Context(), cmd)
		if err != nil || len(rsp) != len(cmd)+2 {
			b.Fatal(len(rsp), err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "apdu/s")
}

func benchTCP(b *testing.B, size int) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	defer func() { _ = ln.Close() }()
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		there, back := make([]byte, headerLen+size), make([]byte, headerLen+size+2)
		for {
			if _, err := io.ReadFull(conn, there); err != nil {
				return
			}
			if _, err := conn.Write(back); err != nil {
				return
			}
		}
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(b, err)
	defer func() { _ = conn.Close() }()
	there, back := make([]byte, headerLen+size), make([]byte, headerLen+size+2)
	for b.Loop() {
		if _, err := conn.Write(there); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, back); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "apdu/s")
}
