package certify

import (
	"tokenwright/features/steps/bench"
	"tokenwright/simcard/stock"
	"tokenwright/tms/gp/keys"
)

// FactoryKeys are the keys that cards of a stock leave the factory with, which are published.
func FactoryKeys(s stock.Stock) bench.KeySource {
	return bench.KeySource{KVN: s.Keys.KVN, Set: func(kdd keys.KDD) (keys.KeySet, error) {
		return s.FactoryKeys(kdd)
	}}
}

// AppletFor is the version of the CoolKey applet that goes with a stock: the 1.4 line with SCP01 and
// SCP02, the 1.5 line with SCP03.
func AppletFor(s stock.Stock) string {
	if s.SCP == 3 {
		return "1.5.65cbf5a6"
	}
	return "1.4.58768072"
}
