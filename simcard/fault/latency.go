package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
)

// Latency is how long a card takes, by kind of command. The shipped models follow the public
// measurements of a hundred kinds of cards (JCAlgTest): the quickest, the median and the slowest.
type Latency struct {
	Name string
	// Command is what any command takes, Channel what opening a secure channel adds.
	Command, Channel time.Duration
	// Write is what changing content, keys or objects adds.
	Write time.Duration
	// RSAKey and ECKey are generating a key pair, RSA-2048 and P-256; RSA and EC are using it.
	RSAKey, ECKey, RSA, EC time.Duration
	// Spread is how much longer than the least an RSA key may take: searching for primes is luck.
	Spread float64
}

var models = []Latency{
	{
		Name: "fast", Command: 2 * time.Millisecond, Channel: 3 * time.Millisecond,
		Write: 5 * time.Millisecond, RSAKey: 2118 * time.Millisecond, ECKey: 26 * time.Millisecond,
		RSA: 53 * time.Millisecond, EC: 7 * time.Millisecond, Spread: 4,
	},
	{
		Name: "median", Command: 8 * time.Millisecond, Channel: 16 * time.Millisecond,
		Write: 20 * time.Millisecond, RSAKey: 11986 * time.Millisecond, ECKey: 156 * time.Millisecond,
		RSA: 426 * time.Millisecond, EC: 105 * time.Millisecond, Spread: 8.4,
	},
	{
		Name: "slow", Command: 30 * time.Millisecond, Channel: 180 * time.Millisecond,
		Write: 90 * time.Millisecond, RSAKey: 69096 * time.Millisecond, ECKey: 868 * time.Millisecond,
		RSA: 1569 * time.Millisecond, EC: 187 * time.Millisecond, Spread: 1,
	},
}

// LatencyByName gives a model.
func LatencyByName(name string) (Latency, error) {
	for _, m := range models {
		if m.Name == name {
			return m, nil
		}
	}
	return Latency{}, fmt.Errorf("unknown latency model %q (there are %s)", name,
		strings.Join(LatencyNames(), ", "))
}

// LatencyNames lists the models, the quickest first.
func LatencyNames() []string {
	var out []string
	for _, m := range models {
		out = append(out, m.Name)
	}
	return out
}

// Clock waits.
type Clock interface {
	Sleep(ctx context.Context, d time.Duration) error
}

// RealTime waits as long as it is told.
type RealTime struct{}

// Sleep implements Clock.
func (RealTime) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// VirtualTime only counts. The zero value starts at zero; it is safe for concurrent use.
type VirtualTime struct {
	mu  sync.Mutex
	now time.Duration
}

// Sleep implements Clock.
func (v *VirtualTime) Sleep(ctx context.Context, d time.Duration) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now += d
	return ctx.Err()
}

// Elapsed is how long has been slept in all.
func (v *VirtualTime) Elapsed() time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

// Slow gives the card c, which takes its time. A command is judged by its instruction byte: what is in
// it may be encrypted.
func Slow(c Card, l Latency, clock Clock, seed uint64) Card {
	return &slow{Card: c, l: l, clock: clock, random: chance(seed)}
}

type slow struct {
	Card
	l      Latency
	clock  Clock
	random func() float64
}

// chance gives numbers from 0 to 1 that follow from seed. It is safe for concurrent use.
func chance(seed uint64) func() float64 {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // durations are no secret
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return r.Float64()
	}
}

var (
	opens  = []byte{gp.INSInitializeUpdate, gp.INSExternalAuthenticate}
	writes = []byte{
		gp.INSPutKey, gp.INSStoreData, gp.INSDelete, gp.INSInstall, gp.INSLoad, gp.INSSetStatus,
		coolkey.INSImportEncryptedKey, coolkey.INSImportKey, coolkey.INSSetPIN, coolkey.INSCreatePIN,
		coolkey.INSChangePIN, coolkey.INSCreateObject, coolkey.INSWriteObject, coolkey.INSDeleteObject,
	}
)

// The applet's two commands for curves, whose meaning its clients disagree on.
const insCompute37, insCompute38 = 0x37, 0x38

// Transmit implements Card.
func (s *slow) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	resp, err := s.Card.Transmit(ctx, cmd)
	if err != nil {
		return nil, err
	}
	if err := s.clock.Sleep(ctx, s.takes(cmd)); err != nil {
		return nil, err
	}
	return resp, nil
}

func (s *slow) takes(cmd []byte) time.Duration {
	d := s.l.Command
	if len(cmd) < 4 {
		return d
	}
	switch ins := cmd[1]; {
	case slices.Contains(opens, ins):
		d += s.l.Channel
	case ins == coolkey.INSStartEnrollment:
		d += s.rsaKey()
	case ins == coolkey.INSStartEnrollmentECC:
		d += s.l.ECKey
	case ins == coolkey.INSComputeCrypt:
		d += s.l.RSA
	case ins == insCompute37 || ins == insCompute38:
		d += s.l.EC
	case slices.Contains(writes, ins):
		d += s.l.Write
	}
	return d
}

// rsaKey is the search for two primes: the model's time on average, from the least to Spread times as
// much, short times being more likely than long ones.
func (s *slow) rsaKey() time.Duration {
	if s.l.Spread <= 1 {
		return s.l.RSAKey
	}
	// Four times the product of two numbers from 0 to 1 is 1 on average; the bounds give least.
	least := 4 / (s.l.Spread + 3)
	luck := 4 * s.random() * s.random()
	return time.Duration(float64(s.l.RSAKey) * (least + (1-least)*luck))
}
