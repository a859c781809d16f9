package scp

// Misbehaviour is how a card's SCP03 departs from the specification, as cards in the field do, for
// those who play such cards. The zero value departs in nothing. A host never looks at it.
type Misbehaviour struct {
	// StuckCounter leaves the encryption counter as it is at commands without data, which the
	// specification counts too (AMD-D §6.2.6).
	StuckCounter bool
	// BrokenRENC encrypts responses under the ICV of commands (AMD-D §6.2.7 sets its first bit).
	BrokenRENC bool
}

// Misbehave makes the card depart from the specification from now on.
func (c *Card) Misbehave(m Misbehaviour) { c.misbehaviour = m }
