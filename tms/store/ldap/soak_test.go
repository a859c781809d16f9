//go:build soak

package ldap_test

import "tokenwright/tms/store/storetest"

func init() {
	largeSize = storetest.Size{Tokens: 200_000, Activities: 2_000_000}
	everyPoint = true
}
