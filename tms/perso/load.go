package perso

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/scp"
)

// Form tells which generation of card content management a card understands.
type Form int

const (
	// GP201 is the form of Open Platform 2.0.1 cards: no Le, no security domain named.
	GP201 Form = iota
	// GP211 is the form from GlobalPlatform 2.1.1 on: Le 00 and the security
	// domain's AID in INSTALL [for load].
	GP211
)

// CardForm gives the form for a card: GP211 for one with card recognition data.
func (f Facts) CardForm() Form {
	if f.Recognition {
		return GP211
	}
	return GP201
}

// LoadOptions says what to load and how. Slices stay the caller's.
type LoadOptions struct {
	Form Form
	// ISD is the AID of the security domain to load into, named under GP211.
	ISD gp.AID
	// Package is the AID of the load file, Instance that of the applet and of
	// its class in the load file.
	Package, Instance gp.AID
	// Old are AIDs of an earlier generation, deleted too, instance before package.
	Old []gp.AID
	// File is the load file data block without its C4 header.
	File []byte
	// BlockSize is the most bytes of data field, secure messaging included,
	// that a LOAD may have: 32 to 255; zero means 255.
	BlockSize int
	// InstanceSize is the non-volatile memory asked for the instance, MemorySize
	// the applet's own object memory, both in bytes up to 65,535.
	InstanceSize, MemorySize int
	// Progress, if any, is called after each LOAD with blocks done and in all. An
	// error from it ends the sequence.
	Progress func(ctx context.Context, done, total int) error
}

// Errors of what LoadOptions ask for.
var (
	ErrBlockSize  = errors.New("block size out of range")
	ErrLoadFile   = errors.New("load file does not fit the card's LOAD command")
	ErrMemorySize = errors.New("memory size out of range")
)

const (
	minBlockSize  = 32
	maxBlockSize  = 255
	loadOverhead  = 24     // what a card needs beside the file's bytes
	maxMemorySize = 0xFFFF // the parameters C6, C8 and the applet's own have two bytes
	macLen        = 8
)

// LoadApplet replaces the applet over a channel to the card manager: DELETE
// instance and package (what isn't there needs no deleting), INSTALL [for
// load], LOAD until the file is through, INSTALL [for install and make
// selectable]. All that can be wrong with the file's length is found before
// anything is deleted. After an error the card may have no applet; the same
// call on a new channel repairs it.
func LoadApplet(ctx context.Context, ch *Channel, o LoadOptions) error {
	blocks, err := planBlocks(ch, o)
	if err != nil {
		return fail(StepLoad, err)
	}
	if err := deleteApplet(ctx, ch, o); err != nil {
		return err
	}
	if err := installForLoad(ctx, ch, o); err != nil {
		return err
	}
	for i, block := range blocks {
		block.Ne = o.ne()
		if _, err := ch.expect(ctx, StepLoad, block.Command()); err != nil {
			return err
		}
		if o.Progress == nil {
			continue
		}
		if err := o.Progress(ctx, i+1, len(blocks)); err != nil {
			return fail(StepLoad, err)
		}
	}
	return installSelectable(ctx, ch, o)
}

// CheckLoad tells whether LoadApplet would find the file and the sizes in order.
// It sends nothing.
func CheckLoad(ch *Channel, o LoadOptions) error {
	_, err := planBlocks(ch, o)
	return fail(StepLoad, err)
}

// planBlocks cuts the file into LOAD commands and checks all sizes.
func planBlocks(ch *Channel, o LoadOptions) ([]gp.Load, error) {
	size := o.BlockSize
	if size == 0 {
		size = maxBlockSize
	}
	if size < minBlockSize || size > maxBlockSize {
		return nil, fmt.Errorf("%w: %d is not %d to %d", ErrBlockSize, size, minBlockSize, maxBlockSize)
	}
	sizes := []int{len(o.File) + loadOverhead + len(o.ISD), o.InstanceSize, o.MemorySize}
	for _, n := range sizes {
		if n < 0 || n > maxMemorySize {
			return nil, fmt.Errorf("%w: %d is not 0 to %d", ErrMemorySize, n, maxMemorySize)
		}
	}
	blocks, err := gp.LoadBlocks(o.File, maxPayload(ch.shake.Variant, ch.level, size))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLoadFile, err)
	}
	return blocks, nil
}

// maxPayload tells how many plain bytes fit a data field of size bytes once the
// 8-byte MAC and, at level 03, padding are added: SCP01 puts a length byte in
// front and pads to 8, SCP02 always pads to 8, SCP03 always to 16.
func maxPayload(v scp.Variant, level scp.Level, size int) int {
	room := size - macLen
	if level&scp.CDEC == 0 {
		return room
	}
	if v.SCP == 3 {
		return room/16*16 - 1
	}
	// A round number of 8 blocks less one block: what servers have always sent
	// to such cards, a byte or two short of the most.
	return (room/8 - 1) * 8
}

func deleteApplet(ctx context.Context, ch *Channel, o LoadOptions) error {
	if err := deleteAID(ctx, ch, StepDeleteInstance, o.Instance, o); err != nil {
		return err
	}
	if err := deleteAID(ctx, ch, StepDeletePackage, o.Package, o); err != nil {
		return err
	}
	for _, aid := range o.Old {
		if err := deleteAID(ctx, ch, StepDeleteOld, aid, o); err != nil {
			return err
		}
	}
	return nil
}

// deleteAID deletes one entry; that it is not there (6A88, or 6A82 of older
// cards) is as good.
func deleteAID(ctx context.Context, ch *Channel, s Step, aid gp.AID, o LoadOptions) error {
	_, err := ch.expect(ctx, s, gp.Delete{AID: aid, Ne: o.ne()}.Command())
	if errors.Is(err, apdu.SW6A88) || errors.Is(err, apdu.SW6A82) {
		return nil
	}
	return err
}

func installForLoad(ctx context.Context, ch *Channel, o LoadOptions) error {
	size := len(o.File) + loadOverhead
	cmd := gp.InstallForLoad{File: o.Package, Ne: o.ne()}
	if o.Form == GP211 {
		cmd.SD = o.ISD
		size += len(o.ISD)
	}
	cmd.Params = gp.LoadParams(uint32(size))
	_, err := ch.expect(ctx, StepInstallForLoad, cmd.Command())
	return err
}

func installSelectable(ctx context.Context, ch *Channel, o LoadOptions) error {
	app := coolkey.InstallParams{Memory: uint16(o.MemorySize)}.Bytes()
	cmd := gp.InstallForInstall{
		MakeSelectable: true,
		File:           o.Package, Module: o.Instance, Instance: o.Instance,
		Privileges: gp.Privileges{0},
		Params:     gp.InstanceParams(uint32(o.InstanceSize), app),
		Ne:         o.ne(),
	}
	_, err := ch.expect(ctx, StepInstallSelectable, cmd.Command())
	return err
}

// ne is the expected length that a command of the form carries.
func (o LoadOptions) ne() int {
	if o.Form == GP211 {
		return 256
	}
	return 0
}
