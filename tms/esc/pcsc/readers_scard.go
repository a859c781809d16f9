//go:build pcsc && cgo

package pcsc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ebfe/scard"
)

// pollEvery is how often WaitChange looks. pcscd itself asks most readers every 400 ms.
const pollEvery = 100 * time.Millisecond

// statusMutex keeps SCardGetStatusChange to one caller: the binding pins a reader's name for the C
// library by that name alone, so that of two callers one would use memory the collector may take.
// Calls with a time-out of zero return at once.
var statusMutex sync.Mutex

// Available says whether PC/SC can be used: nil, or ErrNoService.
func Available() error {
	ctx, err := establish()
	if err != nil {
		return err
	}
	return translate(ctx.Release())
}

// Readers returns the names of the attached readers, none being no error.
func Readers() ([]string, error) {
	ctx, err := establish()
	if err != nil {
		return nil, err
	}
	defer func() { _ = ctx.Release() }()
	return list(ctx)
}

// States returns what all attached readers tell of themselves, in the order of Readers.
func States() ([]ReaderState, error) {
	ctx, err := establish()
	if err != nil {
		return nil, err
	}
	defer func() { _ = ctx.Release() }()
	return look(ctx)
}

// WaitChange returns the states of all readers as soon as they differ from known: a card inserted
// or removed, a reader attached or detached. It returns the error of ctx when that ends first.
// The service going away is an error, since the cards that were known are then out of reach.
func WaitChange(ctx context.Context, known []ReaderState) ([]ReaderState, error) {
	sc, err := establish()
	if err != nil {
		return nil, err
	}
	defer func() { _ = sc.Release() }()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		now, err := look(sc)
		if err != nil {
			return nil, err
		}
		if changed(known, now) {
			return now, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for a card: %w", context.Cause(ctx))
		}
	}
}

func establish() (*scard.Context, error) {
	ctx, err := scard.EstablishContext()
	if err != nil {
		return nil, fmt.Errorf("opening PC/SC: %w", translate(err))
	}
	return ctx, nil
}

func list(ctx *scard.Context) ([]string, error) {
	names, err := ctx.ListReaders()
	switch {
	case errors.Is(err, scard.ErrNoReadersAvailable):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("listing readers: %w", translate(err))
	}
	return names, nil
}

// look asks all readers. One that is detached between listing and asking makes it ask again.
func look(ctx *scard.Context) ([]ReaderState, error) {
	for attempt := 1; ; attempt++ {
		states, err := lookOnce(ctx)
		if err == nil || attempt == 3 || !errors.Is(err, scard.ErrUnknownReader) {
			return states, err
		}
	}
}

func lookOnce(ctx *scard.Context) ([]ReaderState, error) {
	names, err := list(ctx)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	states := make([]scard.ReaderState, len(names))
	for i, name := range names {
		states[i] = scard.ReaderState{Reader: name, CurrentState: scard.StateUnaware}
	}
	statusMutex.Lock()
	err = ctx.GetStatusChange(states, 0)
	statusMutex.Unlock()
	if err != nil && !errors.Is(err, scard.ErrTimeout) {
		return nil, fmt.Errorf("asking readers for their state: %w", translate(err))
	}
	out := make([]ReaderState, len(states))
	for i, s := range states {
		out[i] = state(s)
	}
	return out, nil
}

// state reads the flags; the upper half counts events (pcsclite, SCardGetStatusChange).
func state(s scard.ReaderState) ReaderState {
	has := func(f scard.StateFlag) bool { return s.EventState&f != 0 }
	out := ReaderState{
		Name: s.Reader,
		Card: has(scard.StatePresent), Mute: has(scard.StateMute),
		// pcsclite sets one or the other.
		InUse:     has(scard.StateInuse) || has(scard.StateExclusive),
		Exclusive: has(scard.StateExclusive),
		Events:    uint16(s.EventState >> 16),
	}
	if out.Card {
		out.ATR = slices.Clone(s.Atr)
	}
	return out
}
