//go:build soak

package sql_test

import "tokenwright/tms/store/storetest"

func init() { largeSize = storetest.Size{Tokens: 1_000_000, Activities: 10_000_000} }
