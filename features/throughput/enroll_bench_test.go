package throughput

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/features/benchtest"
	"tokenwright/tms/wire"
)

// turn is how many persons are enrolled in one turn.
const turn = 16

// BenchmarkEnrollment measures whole enrollments of formatted cards - log-in, PIN, two keys, two
// certificates, objects, records - in one process, and over HTTPS between client, TPS, CA and KRA. It
// stands beside the bare public-key operations and key wraps that an enrollment does, in the numbers
// in which it does them. Neither making RSA keys for the pool nor TLS is among them.
func BenchmarkEnrollment(b *testing.B) {
	for _, k := range kinds() {
		for _, remote := range []bool{false, true} {
			for _, clients := range []int{1, 16} {
				name := fmt.Sprintf("%s/%s/clients=%d", k.name,
					map[bool]string{false: "process", true: "https"}[remote], clients)
				b.Run(name, func(b *testing.B) { benchEnroll(b, k, remote, clients) })
			}
		}
	}
}

func benchEnroll(b *testing.B, k kind, remote bool, clients int) {
	s, keys := newSystem(b, k, remote), newBareKeys(b)
	enroll := s.perform
	if remote {
		enroll = s.connect
	}
	s.ready(b, k, 1)
	s.count.reset() // the first enrollment tells how much is done for each
	require.NoError(b, enroll(b.Context(), wire.OpEnroll, s.newPeople(b, 1)[0]))
	each := s.count.each(b, 1)
	b.Logf("for each enrollment: %+v", each)
	benchtest.InTurnsOf(b, "enrollments", 0, func() benchtest.Turn {
		s.ready(b, k, turn)
		list := s.newPeople(b, turn)
		s.count.reset()
		return benchtest.Turn{
			N: turn,
			Ours: func() {
				require.NoError(b, benchtest.Spread(turn, clients, func(i int) error {
					return enroll(b.Context(), wire.OpEnroll, list[i])
				}))
			},
			Baseline: func() {
				require.NoError(b, benchtest.Spread(turn, clients, func(int) error {
					return keys.enrollment(each)
				}))
			},
			After: func() {
				require.Equal(b, each, s.count.each(b, turn))
				for _, p := range list {
					require.NoError(b, p.card.Close())
				}
			},
		}
	})
}

// ready has the KRA hold the keys that n enrollments take.
func (s *system) ready(b *testing.B, k kind, n int) {
	b.Helper()
	if !k.rsa {
		return
	}
	const keysEach = 2
	s.stash.fill(b, n*keysEach)
	want := fmt.Sprintf("%d ready", n*keysEach)
	require.Eventually(b, func() bool {
		needs, err := s.kra.Check(context.Background())
		return err == nil && needs["pool.rsa2048"] == want
	}, time.Minute, time.Millisecond)
}
