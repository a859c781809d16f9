package nvm

// Cut says what the power does at one physical write.
type Cut uint8

// What can happen at a write.
const (
	Keep   Cut = iota // The write takes place and the power stays.
	Before            // The power goes before a byte is written.
	Torn              // The first half is written, then the power goes.
	After             // Everything is written, then the power goes.
)

// String names the cut.
func (c Cut) String() string {
	switch c {
	case Keep:
		return "keep"
	case Before:
		return "before"
	case Torn:
		return "torn"
	case After:
		return "after"
	}
	return "unknown"
}

// Write describes a physical write about to happen.
type Write struct {
	N   uint64 // Number of this write since the memory was opened, from 1.
	Len int    // Bytes about to be written.
	// Swap is true for the exchange of the whole image by compaction. It is atomic: Torn leaves
	// the old image.
	Swap bool
}

// Hook is asked before every physical write. It is called with the memory locked and must not call
// back into it.
type Hook func(Write) Cut
