// Package nvm is the memory of a virtual card that survives power loss: named records, changed in
// atomic commits, kept in one device (a file, or a buffer for tests).
//
// The device holds an append-only log. Every commit is one frame with a checksum; a frame that was
// not written whole is dropped at the next start, so a card that loses power at any moment comes
// back with the state before or after the commit, never between. Every physical write passes a
// Hook, with which a tester cuts the power before, within or after it. A log that has grown well
// past what it holds is compacted by swapping in a whole new image.
//
// A commit outlives the process that made it. The machine's own loss of power may take back the last
// commits since the file was closed or compacted, in whole commits: files are not synced at each.
//
// The package knows bytes, not cards: it must not know what a record means, nor any APDU. A state
// file holds card keys in clear, readable by its owner only (mode 0600): it is the card.
package nvm
