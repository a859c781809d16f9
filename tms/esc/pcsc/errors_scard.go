//go:build pcsc && cgo

package pcsc

import (
	"errors"
	"fmt"

	"github.com/ebfe/scard"
)

var meaning = map[scard.Error]error{
	scard.ErrNoService:          ErrNoService,
	scard.ErrServiceStopped:     ErrNoService,
	scard.ErrUnknownReader:      ErrNoReader,
	scard.ErrReaderUnavailable:  ErrNoReader,
	scard.ErrNoReadersAvailable: ErrNoReader,
	scard.ErrNoSmartcard:        ErrNoCard,
	scard.ErrSharingViolation:   ErrInUse,
	scard.ErrUnresponsiveCard:   ErrMute,
	scard.ErrUnpoweredCard:      ErrMute,
	scard.ErrInvalidAtr:         ErrMute,
	scard.ErrRemovedCard:        ErrRemoved,
	scard.ErrResetCard:          ErrReset,
	scard.ErrNotTransacted:      ErrTransmission,
	scard.ErrCommError:          ErrTransmission,
	scard.ErrCommDataLost:       ErrTransmission,
}

// translate puts the sentinel of this package in front of the library's error.
func translate(err error) error {
	var se scard.Error
	if !errors.As(err, &se) {
		return err
	}
	if known, ok := meaning[se]; ok {
		return fmt.Errorf("%w (%w)", known, se)
	}
	return se
}
