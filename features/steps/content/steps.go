// Package content holds the steps about what is on a card: load files, instances, their life cycle,
// and the registry that lists them. What they put on a card has AIDs of the catalogue's own, or those
// of the load file, and is removed again by the engine.
package content

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/features/script"
	"tokenwright/features/steps/bench"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/scp"
)

// AddSteps registers the steps.
func AddSteps(book *script.Book) {
	book.Step(`^the load file is on the card$`, loadFile)
	book.Step(`^the applet is on the card$`, applet)
	book.Step(`^instance "(\d+)" of the applet is on the card$`, instance)
	book.Step(`^instance "(\d+)" of the applet is installed, and not selectable$`, installedOnly)
	book.Step(`^the applet is on the card, with room$`, appletWithRoom)
	book.Step(`^the applet is on the card, with room, and its access rules can be changed$`, openApplet)
	book.Step(`^a channel to the applet at level "([0-9A-F]{2})"$`, channelToApplet)
	book.Step(`^many applications on the card$`, many)
	book.Step(`^the applet is selected$`, selectApplet)
	book.Step(`^the host locks the applet in the channel$`, lockApplet)
	book.Step(`^the applet is installed and deleted (\d+) times$`, installAndDelete)
	book.Step(`^the load file is loaded, the applet installed, and both deleted, (\d+) times$`, loadAndDelete)
	addStatusSteps(book)
	addLoadSteps(book)
	addLifeSteps(book)
}

// Instances that the catalogue makes are numbered behind bench.TestPrefix.
func instanceAID(n int) gp.AID { return append(bench.TestPrefix.Clone(), byte(n)) }

// module gives the load file and its first applet.
func module(w *bench.Work) (gp.LoadFile, gp.AID, error) {
	if w.LoadFile == nil {
		return gp.LoadFile{}, nil, errors.New("there is no load file for this card")
	}
	f, err := gp.ParseLoadFile(w.LoadFile)
	if err != nil {
		return f, nil, err
	}
	if len(f.Applets) == 0 {
		return f, nil, errors.New("the load file holds no applet")
	}
	w.Note("package", f.Package)
	w.Note("module", f.Applets[0].AID)
	for n := range 9 {
		w.Note(fmt.Sprintf("instance %d", n+1), instanceAID(n+1))
	}
	return f, f.Applets[0].AID, nil
}

// setUp opens a channel of its own, does what a step prepares, and selects the security domain again.
func setUp(ctx context.Context, do func(context.Context, *bench.Work, *bench.Channel) error) error {
	w := bench.From(ctx)
	if _, err := w.SelectISD(ctx); err != nil {
		return err
	}
	c, err := w.Open(ctx, 0, scp.CMAC)
	if err != nil {
		return err
	}
	if err := do(ctx, w, c); err != nil {
		return err
	}
	w.Changed()
	_, err = w.SelectISD(ctx)
	return err
}

// done sends a command that has to succeed.
func done(ctx context.Context, c *bench.Channel, cmd apdu.Command, what string) error {
	a, err := c.Send(ctx, cmd)
	if err == nil && a.Protection != nil {
		err = a.Protection
	}
	if err == nil {
		err = a.Resp.Err()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// blockSize is what cards of all kinds take.
const blockSize = 200

// ensureFile loads the file unless an earlier step of the case has.
func ensureFile(ctx context.Context, w *bench.Work, c *bench.Channel) error {
	if _, _, err := module(w); err != nil {
		return err
	}
	return Load(ctx, w.Bench, c)
}

// Load puts the load file on the card unless it is there.
func Load(ctx context.Context, b *bench.Bench, c *bench.Channel) error {
	f, err := gp.ParseLoadFile(b.LoadFile)
	if err != nil {
		return err
	}
	there, err := c.Registry(ctx, gp.ScopeLoadFiles)
	if err != nil {
		return err
	}
	if _, ok := there.Find(f.Package); ok {
		return nil
	}
	in := gp.InstallForLoad{File: f.Package, Params: gp.LoadParams(uint32(len(b.LoadFile))), Ne: apdu.MaxShortNe}
	if err := done(ctx, c, in.Command(), "INSTALL [for load]"); err != nil {
		return err
	}
	blocks, err := gp.LoadBlocks(b.LoadFile, blockSize)
	if err != nil {
		return err
	}
	for _, block := range blocks {
		block.Ne = apdu.MaxShortNe
		if err := done(ctx, c, block.Command(), fmt.Sprintf("LOAD %d", block.Block)); err != nil {
			return err
		}
	}
	return nil
}

// smallHeap are install parameters of the CoolKey applet for 256 bytes of memory.
var smallHeap = []byte{0x00, 0x02, 0x01, 0x00}

// roomyHeap are those for 5000 bytes.
var roomyHeap = []byte{0x00, 0x02, 0x13, 0x88}

func ensureInstance(ctx context.Context, w *bench.Work, c *bench.Channel, aid gp.AID, selectable bool) error {
	return makeInstance(ctx, w, c, aid, selectable, smallHeap)
}

func makeInstance(ctx context.Context, w *bench.Work, c *bench.Channel, aid gp.AID, selectable bool,
	heap []byte) error {
	if err := ensureFile(ctx, w, c); err != nil {
		return err
	}
	return install(ctx, w.Bench, c, aid, selectable, heap)
}

// InstallApplet makes an instance of the load file's first applet under the applet's own AID.
func InstallApplet(ctx context.Context, b *bench.Bench, c *bench.Channel) error {
	return install(ctx, b, c, nil, true, roomyHeap)
}

// install makes an instance; without an AID it gets that of the applet.
func install(ctx context.Context, b *bench.Bench, c *bench.Channel, aid gp.AID, selectable bool, heap []byte) error {
	f, err := gp.ParseLoadFile(b.LoadFile)
	if err != nil {
		return err
	}
	if len(f.Applets) == 0 {
		return errors.New("the load file holds no applet")
	}
	m := f.Applets[0].AID
	if aid == nil {
		aid = m
	}
	in := gp.InstallForInstall{
		File: f.Package, Module: m, Instance: aid, Privileges: gp.Privileges{0},
		Params: gp.InstanceParams(instanceSize, heap), MakeSelectable: selectable, Ne: apdu.MaxShortNe,
	}
	return done(ctx, c, in.Command(), "INSTALL "+aid.String())
}

// instanceSize is the memory in bytes that an instance declares.
const instanceSize = 1024

func loadFile(ctx context.Context) error { return setUp(ctx, ensureFile) }

func applet(ctx context.Context) error {
	return setUp(ctx, func(ctx context.Context, w *bench.Work, c *bench.Channel) error {
		_, m, err := module(w)
		if err != nil {
			return err
		}
		return ensureInstance(ctx, w, c, m, true)
	})
}

func appletWithRoom(ctx context.Context) error {
	return setUp(ctx, func(ctx context.Context, w *bench.Work, c *bench.Channel) error {
		_, m, err := module(w)
		if err != nil {
			return err
		}
		return makeInstance(ctx, w, c, m, true, roomyHeap)
	})
}

// openHeap are those for 5000 bytes and access rules that can be changed.
var openHeap = []byte{0x00, 0x02, 0x13, 0x88, 0x01, 0x01}

func openApplet(ctx context.Context) error {
	return setUp(ctx, func(ctx context.Context, w *bench.Work, c *bench.Channel) error {
		_, m, err := module(w)
		if err != nil {
			return err
		}
		return makeInstance(ctx, w, c, m, true, openHeap)
	})
}

func channelToApplet(ctx context.Context, level string) error {
	var l byte
	if _, err := fmt.Sscanf(level, "%02X", &l); err != nil {
		return err
	}
	if err := selectApplet(ctx); err != nil {
		return err
	}
	w := bench.From(ctx)
	h, err := w.Initialize(ctx, 0)
	if err != nil {
		return err
	}
	w.Shake = h
	w.Channel, err = w.Authenticate(ctx, h, scp.Level(l))
	return err
}

func instance(ctx context.Context, n int) error {
	return setUp(ctx, func(ctx context.Context, w *bench.Work, c *bench.Channel) error {
		return ensureInstance(ctx, w, c, instanceAID(n), true)
	})
}

func installedOnly(ctx context.Context, n int) error {
	return setUp(ctx, func(ctx context.Context, w *bench.Work, c *bench.Channel) error {
		return ensureInstance(ctx, w, c, instanceAID(n), false)
	})
}

// manyInstances make more registry entries than one answer holds.
const manyInstances = 18

func many(ctx context.Context) error {
	return setUp(ctx, func(ctx context.Context, w *bench.Work, c *bench.Channel) error {
		for n := range manyInstances {
			if err := ensureInstance(ctx, w, c, instanceAID(n+1), true); err != nil {
				return err
			}
		}
		return nil
	})
}

func selectApplet(ctx context.Context) error {
	w := bench.From(ctx)
	_, m, err := module(w)
	if err != nil {
		return err
	}
	resp, err := w.Do(ctx, gp.Select{AID: m}.Command())
	if err == nil && !resp.SW.OK() {
		err = fmt.Errorf("selecting the applet: %w", resp.SW)
	}
	return err
}

func lockApplet(ctx context.Context) error {
	w := bench.From(ctx)
	_, m, err := module(w)
	if err != nil {
		return err
	}
	s := gp.SetStatus{Scope: gp.ScopeApplications, State: byte(gp.AppLocked), AID: m}
	return w.Secure(ctx, s.Command())
}
