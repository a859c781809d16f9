//go:build !soak

package coolkey_test

// randomCount is how many commands the generator sends, and randomEach how often every answer must
// come among them.
const randomCount, randomEach = 200_000, 1
