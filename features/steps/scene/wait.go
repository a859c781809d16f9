package scene

import (
	"context"
	"time"
)

// soon bounds the wait for what happens behind a client's back.
const soon = 10 * time.Second

// NoCUID asks for a phone home page that is for no particular card.
var NoCUID []byte

// Eventually polls until check is content; when that takes too long it returns check's last error.
func Eventually(ctx context.Context, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}
