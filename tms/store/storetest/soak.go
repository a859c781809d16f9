//go:build soak

package storetest

import "time"

func init() {
	concurrentFor = 2 * time.Minute
	sizeLimit, sizeRounds, sizeWarmUp = soakLimit, soakRounds, soakWarmUp
}
