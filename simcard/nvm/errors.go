package nvm

import "errors"

var (
	// ErrPowerLost is given by the write at which a Hook cut the power and by everything after
	// it, until Restart.
	ErrPowerLost = errors.New("power lost during a memory write")
	// ErrFull is given when a commit would take the records past the limit of the memory.
	ErrFull = errors.New("memory full")
	// ErrCorrupt is given for a device whose content is not a card memory, or is one that was
	// damaged other than by a cut write.
	ErrCorrupt = errors.New("card memory is damaged")
	// ErrLocked is given when another process has the state file open.
	ErrLocked = errors.New("state file is in use by another card")
	// ErrTooLarge is given for names, values and images beyond the bounds of the format.
	ErrTooLarge = errors.New("larger than the card memory format allows")
	// ErrClosed is given after Close.
	ErrClosed = errors.New("card memory is closed")
)
