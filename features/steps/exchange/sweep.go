package exchange

import (
	"context"
	"fmt"
	"slices"

	"tokenwright/features/steps/bench"
	"tokenwright/features/verdict"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

// What a sweep over instructions found: those done, and those answered by 6F00.
const noteDone, note6F00, noteStatuses = "done", "6F00", "statuses"

// meaning are the instructions of class 80 that a card knows, or that change something: a sweep for
// unknown ones leaves them out.
var meaning = []byte{
	gp.INSSelect, gp.INSGetData, gp.INSGetDataList, gp.INSInitializeUpdate, gp.INSExternalAuthenticate,
	gp.INSManageChannel, gp.INSDelete, gp.INSPutKey, gp.INSSetStatus, gp.INSStoreData, gp.INSInstall,
	gp.INSLoad, gp.INSGetResponse, gp.INSGetStatus,
}

// everyInstruction sends each unknown instruction without data. Those of the form 6X and 9X are none
// in the transmission protocol T=0 (ISO/IEC 7816-3).
func everyInstruction(ctx context.Context) error {
	w := bench.From(ctx)
	var did, statuses []byte
	for ins := range 256 {
		if slices.Contains(meaning, byte(ins)) || ins>>4 == 6 || ins>>4 == 9 {
			continue
		}
		_, resp, err := w.Transmit(ctx, []byte{0x80, byte(ins), 0x00, 0x00, 0x00})
		if err != nil {
			return err
		}
		if resp.SW.OK() {
			did = append(did, byte(ins))
		}
		statuses = append(statuses, byte(resp.SW>>8), byte(resp.SW))
	}
	w.Note(noteDone, did)
	w.Note(noteStatuses, statuses)
	return nil
}

func doesNone(ctx context.Context) error {
	w := bench.From(ctx)
	statuses, err := w.Noted(noteStatuses)
	if err != nil {
		return err
	}
	c := verdict.Check{
		Kind: verdict.Status, Subject: "status words of unknown instructions", Want: []string{"6D00"},
		Tolerated: []string{verdict.AnyError},
	}
	for ; len(statuses) >= 2; statuses = statuses[2:] {
		if sw := fmt.Sprintf("%X", statuses[:2]); !slices.Contains(c.Got, sw) {
			c.Got = append(c.Got, sw)
		}
	}
	w.Check(c)
	return noneOf(ctx, noteDone, "instructions that were done")
}

func none6F00(ctx context.Context) error {
	return noneOf(ctx, note6F00, "instructions answered by 6F00")
}

func noneOf(ctx context.Context, name, subject string) error {
	w := bench.From(ctx)
	found, err := w.Noted(name)
	if err != nil {
		return err
	}
	c := verdict.Check{Kind: verdict.Same, Subject: subject}
	for _, ins := range found {
		c.Got = append(c.Got, fmt.Sprintf("%02X", ins))
	}
	w.Check(c)
	return nil
}

// everyForm sends the instructions of content management in the four forms of a command, with data
// that mean nothing.
func everyForm(ctx context.Context) error {
	w := bench.From(ctx)
	var bad []byte
	for _, ins := range []byte{
		gp.INSGetData, gp.INSGetStatus, gp.INSDelete, gp.INSInstall, gp.INSLoad, gp.INSStoreData, gp.INSPutKey,
		gp.INSSetStatus,
	} {
		for form := range 4 {
			cmd := apdu.Command{CLA: 0x80, INS: ins}
			if form&1 != 0 {
				cmd.Ne = apdu.MaxShortNe
			}
			if form&2 != 0 {
				cmd.Data = []byte{0x00}
			}
			if err := w.Secure(ctx, cmd); err != nil {
				return err
			}
			if w.Last.Wire.SW == apdu.SW6F00 {
				bad = append(bad, ins)
			}
		}
	}
	w.Note(note6F00, bad)
	return nil
}
