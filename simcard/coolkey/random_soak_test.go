//go:build soak

package coolkey_test

import "sync/atomic"

var soaked atomic.Bool

// amount is how many commands the generator sends, and how often every answer must come among them.
// The seed is fixed: what is soaked once in a process need not be when its tests are repeated.
func amount() (count, each int) {
	if soaked.Swap(true) {
		return 200_000, 1
	}
	return 10_000_000, 100
}
