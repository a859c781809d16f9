//go:build !soak

package coolkey_test

// amount is how many commands the generator sends, and how often every answer must come among them.
func amount() (count, each int) { return 200_000, 1 }
