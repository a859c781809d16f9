package script_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/features/script"
)

func TestBindAndRun(t *testing.T) {
	var got []any
	var b script.Book
	b.Step(`^the host sends "([^"]*)" (\d+) times$`, func(_ context.Context, s string, n int) error {
		got = append(got, s, n)
		return nil
	})
	b.Step(`^it (?:fails|breaks)$`, func(context.Context) error { return errors.New("broken") })
	b.Step(`^it panics$`, func(context.Context) error { panic("out of range") })
	steps, err := b.Bind([]string{`When the host sends "00" 3 times`, "Then it breaks", "And it panics"})
	require.NoError(t, err)
	require.NoError(t, steps[0].Run(context.Background()))
	require.Equal(t, []any{"00", 3}, got)
	require.ErrorContains(t, steps[1].Run(context.Background()), "broken")
	require.ErrorContains(t, steps[2].Run(context.Background()), "out of range")

	_, err = b.Bind([]string{"Then it works"})
	require.ErrorIs(t, err, script.ErrUndefined)
	b.Step(`^it (.*)$`, func(context.Context, string) error { return nil })
	_, err = b.Bind([]string{"Then it breaks"})
	require.ErrorIs(t, err, script.ErrAmbiguous)
}

func TestWrongDefinitions(t *testing.T) {
	for expr, fn := range map[string]any{
		`^(`:        func(context.Context) error { return nil },
		`^one$`:     func() error { return nil },
		`^two$`:     func(context.Context) {},
		`^(three)$`: func(context.Context) error { return nil },
		`^(four)$`:  func(context.Context, []byte) error { return nil },
		`^five$`:    func(context.Context, string) error { return nil },
	} {
		var b script.Book
		b.Step(expr, fn)
		_, err := b.Bind(nil)
		require.Error(t, err, expr)
	}
}
