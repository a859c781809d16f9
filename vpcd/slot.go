package vpcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
)

// slot is one card's stay in the reader. Its goroutine receives all the time, so that a card that
// leaves is noticed when nobody talks to it; everything else runs inside Reader.exchange.
type slot struct {
	conn    net.Conn
	powered bool
	out     []byte

	expecting atomic.Bool   // an answer is due
	answers   chan []byte   // holds the one answer that was due
	gone      chan struct{} // closed when the stay is over

	mu     sync.Mutex
	reason error // why it is over, first come
}

func newSlot(conn net.Conn) *slot {
	return &slot{
		conn:    newQuickConn(conn),
		answers: make(chan []byte, 1), gone: make(chan struct{}),
	}
}

// drop ends the stay; the first reason counts.
func (s *slot) drop(reason error) {
	s.mu.Lock()
	if s.reason == nil {
		s.reason = reason
	}
	s.mu.Unlock()
	_ = s.conn.Close()
}

func (s *slot) why() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}

// receive takes answers until the stay is over and returns why.
func (s *slot) receive() error {
	in := newFrameReader(s.conn)
	for {
		message, err := in.next()
		switch {
		case errors.Is(err, ErrProtocol):
		case errors.Is(err, io.EOF):
			err = ErrRemoved
		case err != nil:
			err = fmt.Errorf("%w: %w", ErrRemoved, err)
		case !s.expecting.CompareAndSwap(true, false):
			err = fmt.Errorf("%w: %d bytes that nobody asked for", ErrProtocol, len(message))
		default:
			s.answers <- slices.Clone(message)
			continue
		}
		s.drop(err)
		close(s.gone)
		return s.why()
	}
}

// start sends a control that (re)starts the card and fetches the ATR.
func (s *slot) start(ctx context.Context, control byte) ([]byte, error) {
	s.powered = false
	if err := s.send([]byte{control}); err != nil {
		return nil, err
	}
	atr, err := s.ask(ctx, []byte{ctlATR})
	if err != nil {
		return nil, fmt.Errorf("get ATR: %w", err)
	}
	if len(atr) < 2 || len(atr) > maxATR {
		err = fmt.Errorf("%w: ATR of %d bytes", ErrProtocol, len(atr))
		s.drop(err)
		return nil, err
	}
	s.powered = true
	return atr, nil
}

// ask sends a message and waits for the answer.
func (s *slot) ask(ctx context.Context, message []byte) ([]byte, error) {
	s.expecting.Store(true)
	if err := s.send(message); err != nil {
		return nil, err
	}
	select {
	case answer := <-s.answers:
		return answer, nil
	case <-s.gone:
		// Both may be ready: an answer that came before the card left is an answer.
		select {
		case answer := <-s.answers:
			return answer, nil
		default:
		}
		return nil, s.why()
	case <-ctx.Done():
		// Reader.exchange drops the card for this reason too; whoever comes first sets it.
		s.drop(context.Cause(ctx))
		return nil, s.why()
	}
}

func (s *slot) send(message []byte) (err error) {
	if s.out, err = appendFrame(s.out[:0], message); err != nil {
		return err
	}
	if _, err = s.conn.Write(s.out); err == nil {
		return nil
	}
	s.drop(fmt.Errorf("%w: %w", ErrRemoved, err))
	return s.why()
}
