package programs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
)

// Server is a program that serves one connection on its standard input and output, started anew for
// each that comes to a loopback port. The port is taken here, so that nobody else can get it between
// the choice and the program's start.
type Server struct {
	listener net.Listener
	path     string
	call     Call
	ctx      context.Context // ends the programs
	cancel   context.CancelFunc
	done     sync.WaitGroup
	out      locked
}

// Serve begins to listen. Its time limit counts for all connections together; input in c is not used.
func Serve(ctx context.Context, c Call) (*Server, error) {
	path, err := Find(c.Name)
	if err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if c.Limit == 0 {
		c.Limit = limit
	}
	s := &Server{listener: l, path: path, call: c}
	s.ctx, s.cancel = context.WithTimeout(context.WithoutCancel(ctx), c.Limit)
	s.done.Go(s.accept)
	return s, nil
}

// Port is the port on 127.0.0.1.
func (s *Server) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// Output is what the programs have written so far to their standard error.
func (s *Server) Output() string { return s.out.String() }

// Stop takes no more connections and ends the programs. It may be called more than once.
func (s *Server) Stop() error {
	s.cancel()
	err := s.listener.Close()
	s.done.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.done.Go(func() {
			if err := s.meet(conn.(*net.TCPConn)); err != nil {
				fmt.Fprintf(&s.out, "%s: %v\n", s.call.Name, err)
			}
		})
	}
}

// meet gives a connection to a program of its own and waits for it to end.
func (s *Server) meet(conn *net.TCPConn) error {
	f, err := conn.File()
	err = errors.Join(err, conn.Close()) // the program has its own copy
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.CommandContext(s.ctx, s.path, s.call.Args...)
	cmd.Dir, cmd.Env = s.call.Dir, append(os.Environ(), s.call.Env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = f, f, &s.out
	group(cmd)
	cmd.WaitDelay = killDelay
	return cmd.Run()
}
