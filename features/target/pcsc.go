package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tokenwright/tms/esc/pcsc"
	"tokenwright/vpcd"
)

// vpcdPort is where vsmartcard's driver serves its first reader; each further one is a port on.
const vpcdPort = 35963

// waitForReader bounds the wait for the PC/SC service to see a card come or go.
const waitForReader = 10 * time.Second

// service puts cards into readers of the PC/SC service.
type service struct {
	names []string
	slots chan struct{} // as many as free has readers
	gate  sync.RWMutex  // held by scenarios: shared, or alone
	alone atomic.Bool   // one of them is alone

	mu   sync.Mutex
	free []readerPort
}

// readerPort is a reader and the address where its driver waits for a card.
type readerPort struct{ name, addr string }

// newPCSC takes "READER[@HOST:PORT]", several of them separated by "|".
func newPCSC(spec string) (Target, error) {
	if err := pcsc.Available(); err != nil {
		return nil, fmt.Errorf("CARD=pcsc: %w", err)
	}
	if spec == "" {
		return nil, errors.New("CARD=pcsc: needs the name of a reader, as in " +
			`CARD="pcsc:Virtual PCD 00 00"`)
	}
	list := strings.Split(spec, "|")
	s := &service{slots: make(chan struct{}, len(list))}
	for _, one := range list {
		r, err := parseReader(one)
		if err != nil {
			return nil, fmt.Errorf("CARD=pcsc:%s: %w", one, err)
		}
		s.give(r)
		s.names = append(s.names, r.name)
	}
	return s, nil
}

func parseReader(spec string) (readerPort, error) {
	name, addr, given := strings.Cut(strings.Trim(spec, `"`), "@")
	if given {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return readerPort{}, err
		}
		return readerPort{name, addr}, nil
	}
	slot, err := strconv.ParseUint(name[strings.LastIndexByte(name, ' ')+1:], 16, 8)
	if err != nil {
		return readerPort{}, errors.New("the reader's name does not end in a slot number; " +
			"say at which address vsmartcard's driver waits for a card: READER@HOST:PORT")
	}
	port := strconv.Itoa(vpcdPort + int(slot))
	return readerPort{name, net.JoinHostPort("127.0.0.1", port)}, nil
}

func (s *service) Name() string {
	return "the virtual card, in the PC/SC reader " + strings.Join(s.names, ", ")
}
func (s *service) Parallel() int { return len(s.names) }
func (s *service) Close() error  { return nil }

// Enter lets a scenario that is alone have every reader: programs connect to whatever card they
// find, and would disturb the scenarios beside it.
func (s *service) Enter(alone bool) (leave func()) {
	if alone {
		s.gate.Lock()
		s.alone.Store(true)
		return func() {
			s.alone.Store(false)
			s.gate.Unlock()
		}
	}
	s.gate.RLock()
	return s.gate.RUnlock
}

// Insert refuses a reader that holds a card already: only a card that the harness put in itself
// may be worked on.
func (s *service) Insert(ctx context.Context, card vpcd.Card) (Inserted, error) {
	r, err := s.take(ctx)
	if err != nil {
		return nil, err
	}
	in, err := s.insert(ctx, r, card)
	if err != nil {
		s.give(r)
		return nil, fmt.Errorf("reader %s: %w", r.name, err)
	}
	return in, nil
}

// take waits for a free reader. It takes the one that was left last, so that a card that is put back
// comes into the reader that it was in, and so does another card that is put in for it.
func (s *service) take(ctx context.Context) (readerPort, error) {
	select {
	case <-s.slots:
	case <-ctx.Done():
		return readerPort{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.free) - 1
	r := s.free[last]
	s.free = s.free[:last]
	return r, nil
}

func (s *service) give(r readerPort) {
	s.mu.Lock()
	s.free = append(s.free, r)
	s.mu.Unlock()
	s.slots <- struct{}{}
}

func (s *service) insert(ctx context.Context, r readerPort, card vpcd.Card) (Inserted, error) {
	ctx, cancel := context.WithTimeout(ctx, waitForReader)
	defer cancel()
	if err := awaitPresence(ctx, r.name, false); err != nil {
		return nil, fmt.Errorf("a card that the harness did not put in is in the reader: %w", err)
	}
	p := plug(ctx, r.addr, card)
	opened, err := openInserted(ctx, r.name)
	if errors.Is(err, pcsc.ErrInUse) && s.alone.Load() {
		// A program that was in the reader before has it already, as if it were lent.
		return &serviceCard{service: s, reader: r, plugged: p}, nil
	}
	if err != nil {
		return nil, errors.Join(err, p.pull())
	}
	if !bytes.Equal(opened.ATR(), card.ATR()) {
		return nil, errors.Join(fmt.Errorf("the card in the reader answers ATR %X, the one put in %X",
			opened.ATR(), card.ATR()), opened.Close(), p.pull())
	}
	return &serviceCard{service: s, reader: r, plugged: p, card: opened}, nil
}

func openInserted(ctx context.Context, reader string) (*pcsc.Card, error) {
	if err := awaitPresence(ctx, reader, true); err != nil {
		return nil, fmt.Errorf("waiting for the card to be seen: %w", err)
	}
	return pcsc.Open(ctx, reader)
}

// serviceCard is a card in a reader. card is nil while it is lent.
type serviceCard struct {
	service *service
	reader  readerPort
	plugged *plugged
	card    *pcsc.Card
}

func (c *serviceCard) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	if err := c.takeBack(ctx); err != nil {
		return nil, err
	}
	return c.card.Transmit(ctx, cmd)
}

// ATR of a lent card is what the card itself says: nobody here has asked the reader.
func (c *serviceCard) ATR() []byte {
	if c.card == nil {
		return c.plugged.card.ATR()
	}
	return c.card.ATR()
}

func (c *serviceCard) Reset(ctx context.Context) error {
	if err := c.takeBack(ctx); err != nil {
		return err
	}
	return c.card.PowerCycle(ctx)
}

// Lend implements Lender.
func (c *serviceCard) Lend() (string, error) {
	err := c.letGo()
	return c.reader.name, err
}

func (c *serviceCard) letGo() error {
	if c.card == nil {
		return nil
	}
	card := c.card
	c.card = nil
	return card.Close()
}

// takeBack waits for a program that still has the card: the service notices with delay that one has
// ended.
func (c *serviceCard) takeBack(ctx context.Context) (err error) {
	if c.card != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, waitForReader)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if c.card, err = pcsc.Open(ctx, c.reader.name); !errors.Is(err, pcsc.ErrInUse) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("a program keeps the card: %w", err)
		case <-tick.C:
		}
	}
}

// Remove waits until the service has seen the card go, so that the next one is not taken for it.
func (c *serviceCard) Remove(ctx context.Context) error {
	err := errors.Join(c.letGo(), c.plugged.pull())
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), waitForReader)
	defer cancel()
	err = errors.Join(err, awaitPresence(ctx, c.reader.name, false))
	c.service.give(c.reader)
	return err
}
