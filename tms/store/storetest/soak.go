//go:build soak

package storetest

import "time"

func init() { concurrentFor, sizeLimit = 2*time.Minute, soakLimit }
