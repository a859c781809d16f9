package vpcd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

var (
	// ErrNoCard says that the slot is empty.
	ErrNoCard = errors.New("no card in the reader")
	// ErrRemoved says that the card left, or was dropped, during an exchange. Whether the card has
	// carried out the command is unknown.
	ErrRemoved = errors.New("card was removed")
	// ErrUnpowered says that the card in the slot has no power: nobody called PowerOn since it came.
	// A card that replaced another is therefore never taken for it.
	ErrUnpowered = errors.New("card is not powered")
	// ErrTimeout says that the card did not answer within ReaderOptions.Timeout.
	ErrTimeout = errors.New("card did not answer in time")
	// ErrClosed says that the reader was closed.
	ErrClosed = errors.New("reader is closed")
)

// Reader is a reader with one slot, which cards plug into by connecting. It is made by Listen and
// safe for concurrent use; exchanges happen one at a time.
//
// The slot holds one card. A card that connects while another is there is turned away: its
// connection is closed, and it may try again (Dial does) until the first one is gone.
type Reader struct {
	o    ReaderOptions
	ln   net.Listener
	busy chan struct{} // holds a token while an exchange runs
	quit chan struct{} // closed by Close
	done sync.WaitGroup

	mu      sync.Mutex
	slot    *slot
	changed chan struct{} // closed and made anew whenever the slot changes
	closed  bool

	telling sync.Mutex
}

// Listen makes a reader that waits for cards at addr (host:port, port 0 for any free one) on
// loopback.
func Listen(addr string) (*Reader, error) {
	return ListenWith(addr, ReaderOptions{})
}

// ListenWith is Listen with options.
func ListenWith(addr string, o ReaderOptions) (*Reader, error) {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	lc := net.ListenConfig{Control: loopbackOnly(o.AllowRemote)}
	ln, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("reader at %s: %w", addr, err)
	}
	r := &Reader{
		o: o, ln: ln,
		busy: make(chan struct{}, 1), quit: make(chan struct{}), changed: make(chan struct{}),
	}
	r.done.Go(r.accept)
	return r, nil
}

// Addr returns the address that cards connect to.
func (r *Reader) Addr() net.Addr { return r.ln.Addr() }

// Present says whether a card is in the slot.
func (r *Reader) Present() bool {
	s, _, _ := r.look()
	return s != nil
}

// WaitCard returns when a card is in the slot, or with the error of ctx, or with ErrClosed.
func (r *Reader) WaitCard(ctx context.Context) error { return r.wait(ctx, true) }

// WaitRemoved returns when the slot is empty, or with the error of ctx, or with ErrClosed.
func (r *Reader) WaitRemoved(ctx context.Context) error { return r.wait(ctx, false) }

func (r *Reader) wait(ctx context.Context, present bool) error {
	for {
		s, changed, closed := r.look()
		switch {
		case closed:
			return ErrClosed
		case (s != nil) == present:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting at reader %s: %w", r.Addr(), ctx.Err())
		}
	}
}

func (r *Reader) look() (s *slot, changed <-chan struct{}, closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s = r.slot; s != nil && s.why() != nil {
		s = nil // dropped, about to be cleared away
	}
	return s, r.changed, r.closed
}

// PowerOn supplies power (a cold reset) and returns the ATR, which is the caller's.
func (r *Reader) PowerOn(ctx context.Context) (atr []byte, err error) {
	err = r.exchange(ctx, "power on", func(ctx context.Context, s *slot) error {
		atr, err = s.start(ctx, ctlPowerOn)
		return err
	})
	return atr, err
}

// PowerOff takes the power from the card, which stays in the slot.
func (r *Reader) PowerOff(ctx context.Context) error {
	return r.exchange(ctx, "power off", func(_ context.Context, s *slot) error {
		s.powered = false
		return s.send([]byte{ctlPowerOff})
	})
}

// Reset makes a warm reset and returns the ATR, which is the caller's.
func (r *Reader) Reset(ctx context.Context) (atr []byte, err error) {
	err = r.exchange(ctx, "reset", func(ctx context.Context, s *slot) error {
		if !s.powered {
			return ErrUnpowered
		}
		atr, err = s.start(ctx, ctlReset)
		return err
	})
	return atr, err
}

// Transmit sends one command of 2 to 65,535 bytes and returns the response, which is the caller's.
//
// When ctx ends or the watchdog fires before the answer, the card is dropped from the slot, since
// its late answer would be taken for that of the next command; it may plug itself in again.
// Errors: ErrTooShort, ErrTooLong, ErrNoCard, ErrUnpowered (nothing was sent); ErrRemoved,
// ErrTimeout, ErrProtocol, the error of ctx (the command may have been carried out); ErrClosed.
func (r *Reader) Transmit(ctx context.Context, cmd []byte) (response []byte, err error) {
	switch {
	case len(cmd) < 2:
		return nil, fmt.Errorf("transmit: %w", ErrTooShort)
	case len(cmd) > MaxMessage:
		return nil, fmt.Errorf("transmit: %w: %d bytes", ErrTooLong, len(cmd))
	}
	err = r.exchange(ctx, "transmit", func(ctx context.Context, s *slot) error {
		if !s.powered {
			return ErrUnpowered
		}
		response, err = s.ask(ctx, cmd)
		return err
	})
	return response, err
}

// exchange runs f with the card in the slot, alone, under the watchdog.
func (r *Reader) exchange(ctx context.Context, what string,
	f func(context.Context, *slot) error,
) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.o.Timeout, ErrTimeout)
	defer cancel()
	select {
	case r.busy <- struct{}{}:
		defer func() { <-r.busy }()
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	s, _, closed := r.look()
	switch {
	case closed:
		return fmt.Errorf("%s: %w", what, ErrClosed)
	case s == nil:
		return fmt.Errorf("%s: %w", what, ErrNoCard)
	}
	stop := context.AfterFunc(ctx, func() { s.drop(context.Cause(ctx)) })
	defer stop()
	if err := f(ctx, s); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Close drops the card, stops listening and waits until all is over. Closing twice is no error.
func (r *Reader) Close() error {
	r.mu.Lock()
	again, s := r.closed, r.slot
	r.closed = true
	r.mu.Unlock()
	if again {
		r.done.Wait()
		return nil
	}
	close(r.quit)
	err := r.ln.Close()
	if s != nil {
		s.drop(ErrClosed)
	}
	r.signal()
	r.done.Wait()
	if err != nil {
		return fmt.Errorf("closing reader: %w", err)
	}
	return nil
}

func (r *Reader) signal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.changed)
	r.changed = make(chan struct{})
}

// accept plugs in the cards that come, one after another, until the listener is closed.
func (r *Reader) accept() {
	for {
		conn, err := r.ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of file descriptors, a connection reset before it was accepted
			select {
			case <-time.After(defaultMinBackoff):
			case <-r.quit:
			}
			continue
		}
		r.insert(conn)
	}
}

// insert puts the card into the slot, or turns it away.
func (r *Reader) insert(conn net.Conn) {
	s := newSlot(conn)
	r.mu.Lock()
	free := r.slot == nil && !r.closed
	if free {
		r.slot = s
	}
	r.mu.Unlock()
	if !free {
		_ = conn.Close()
		r.tell(Event{Kind: CardTurnedAway, Card: conn.RemoteAddr()})
		return
	}
	r.tell(Event{Kind: CardInserted, Card: conn.RemoteAddr()})
	r.signal()
	r.done.Go(func() {
		err := s.receive()
		r.tell(Event{Kind: CardRemoved, Card: conn.RemoteAddr(), Err: err})
		r.mu.Lock()
		r.slot = nil
		r.mu.Unlock()
		r.signal()
	})
}

func (r *Reader) tell(e Event) {
	if r.o.OnEvent == nil {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	r.o.OnEvent(e)
}
