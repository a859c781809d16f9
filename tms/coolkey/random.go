package coolkey

import "tokenwright/tms/gp/apdu"

// Instructions of the random number generator.
const (
	INSGetRandom  = 0x72
	INSSeedRandom = 0x73
)

// GetRandom is GET RANDOM, B0 72: the answer are as many bytes as P3 says, Ne modulo 256. Ne 0 is
// no Le and no bytes.
type GetRandom struct {
	Ne int
	Form
}

// Command prints the command.
func (g GetRandom) Command() apdu.Command {
	return g.userCommand(INSGetRandom, 0, 0, nil, g.Ne)
}

// ParseGetRandom reads the command.
func ParseGetRandom(c apdu.Command) (GetRandom, error) {
	f, err := userForm(c, INSGetRandom)
	if err != nil {
		return GetRandom{}, err
	}
	return GetRandom{Ne: c.Ne, Form: f}, plain(c)
}

// SeedRandom is SEED RANDOM, B0 73.
type SeedRandom struct {
	Seed []byte
	Ne   int
	Form
}

// Command prints the command.
func (s SeedRandom) Command() apdu.Command {
	return s.userCommand(INSSeedRandom, 0, 0, s.Seed, s.Ne)
}

// ParseSeedRandom reads the command.
func ParseSeedRandom(c apdu.Command) (SeedRandom, error) {
	f, err := userForm(c, INSSeedRandom)
	if err != nil {
		return SeedRandom{}, err
	}
	return SeedRandom{Seed: c.Data, Ne: c.Ne, Form: f}, parameters(c, 0, 0)
}
