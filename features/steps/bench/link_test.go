package bench_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/features/evidence"
	"tokenwright/features/steps/bench"
)

// fake answers everything with one status word.
type fake struct {
	sent [][]byte
	sw   []byte
}

func (f *fake) Transmit(_ context.Context, cmd []byte) ([]byte, error) {
	f.sent = append(f.sent, cmd)
	return f.sw, nil
}
func (*fake) ATR() []byte                 { return []byte{0x3B, 0x00} }
func (*fake) Reset(context.Context) error { return nil }

func TestNothingButIdentificationBeforeTheCardIsKnown(t *testing.T) {
	ctx := context.Background()
	dev := &fake{sw: []byte{0x90, 0x00}}
	l := bench.NewLink(dev, evidence.NewRecorder(nil), false, nil)
	update := []byte{0x80, 0x50, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0}
	for _, cmd := range [][]byte{{0, 0xA4, 4, 0, 0}, {0x80, 0xCA, 0x9F, 0x7F, 0}, update} {
		_, _, err := l.Transmit(ctx, cmd)
		require.NoError(t, err)
	}
	for _, cmd := range [][]byte{
		{0x80, 0xCA, 0, 0x66, 0}, update, {0x80, 0xF2, 0x80, 0, 2, 0x4F, 0}, {0, 0xA4, 0, 0, 2, 0x3F, 0},
		{0xB0, 0x3C, 0, 0, 0}, {0, 0x70, 0, 0, 1}, {},
	} {
		_, _, err := l.Transmit(ctx, cmd)
		require.ErrorIs(t, err, bench.ErrIdentify, "%X", cmd)
	}
	require.Len(t, dev.sent, 3)
}

func TestTheBudgetOfFailedAuthentications(t *testing.T) {
	ctx := context.Background()
	dev := &fake{sw: []byte{0x63, 0x00}}
	var saved []int
	l := bench.NewLink(dev, evidence.NewRecorder(nil), false, func(n int) error {
		saved = append(saved, n)
		return nil
	})
	l.Identified()
	authenticate := append([]byte{0x84, 0x82, 1, 0, 16}, make([]byte, 16)...)
	_, _, err := l.Transmit(ctx, authenticate)
	require.ErrorIs(t, err, bench.ErrUnproven)
	l.Proven()
	for range bench.Budget {
		_, _, err = l.Transmit(ctx, authenticate)
		require.NoError(t, err)
	}
	_, _, err = l.Transmit(ctx, authenticate)
	require.ErrorIs(t, err, bench.ErrBudget)
	l.Vouch()
	_, _, err = l.Transmit(ctx, authenticate)
	require.NoError(t, err, "one that has to succeed may give the budget back")
	l.Vouch()
	_, _, err = l.Transmit(ctx, authenticate)
	require.ErrorIs(t, err, bench.ErrBudget, "and when it did not, no other may try")
	require.Len(t, dev.sent, bench.Budget+1)
	require.Equal(t, []int{1, 2, 3, 4}, saved, "counted before it could happen")
	require.Equal(t, bench.Budget+1, l.Failures())
}

func TestASuccessGivesTheBudgetBack(t *testing.T) {
	dev := &fake{sw: []byte{0x90, 0x00}}
	l := bench.NewLink(dev, evidence.NewRecorder(nil), false, nil)
	l.Identified()
	l.Proven()
	l.Failed(2)
	_, _, err := l.Transmit(context.Background(), append([]byte{0x84, 0x82, 1, 0, 16}, make([]byte, 16)...))
	require.NoError(t, err)
	require.Zero(t, l.Failures())
}

func TestAnAuthenticationThatCannotBeCountedIsNotSent(t *testing.T) {
	dev := &fake{sw: []byte{0x90, 0x00}}
	l := bench.NewLink(dev, evidence.NewRecorder(nil), false, func(int) error { return errors.New("disk full") })
	l.Identified()
	l.Proven()
	_, _, err := l.Transmit(context.Background(), append([]byte{0x84, 0x82, 1, 0, 16}, make([]byte, 16)...))
	require.ErrorContains(t, err, "disk full")
	require.Empty(t, dev.sent)
}
