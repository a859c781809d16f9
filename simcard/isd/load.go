package isd

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"

	"tokenwright/simcard/applet"
	"tokenwright/simcard/nvm"
	"tokenwright/simcard/registry"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/tlv"
)

// loading is a load sequence between INSTALL [for load] and the last LOAD.
type loading struct {
	file   gp.AID
	hash   []byte
	stream gp.LoadStream
}

// loadWrapper is what the tag and length around a load file take at most.
const loadWrapper = 5

func (d *Domain) installForLoad(cmd apdu.Command) ([]byte, error) {
	in, err := gp.ParseInstallForLoad(cmd)
	if err != nil {
		return nil, applet.Refusal(err)
	}
	if _, err := in.Params.Nodes(); err != nil {
		return nil, apdu.SW6A80
	}
	if in.SD != nil && !(d.Named(in.SD) && len(in.SD) >= len(d.AID())) {
		return nil, apdu.SW6A88
	}
	if _, ok := d.Registry.File(in.File); ok {
		return nil, apdu.SW6985
	}
	if _, ok := d.Registry.App(in.File); ok || len(in.Token) > 0 {
		return nil, apdu.SW6985
	}
	if !hashLength(len(in.Hash)) {
		return nil, apdu.SW6A80
	}
	free := d.Registry.Free()
	if n, ok := in.Params.Size(gp.TagCodeSize); ok && int64(n) > int64(free) {
		return nil, apdu.SW6A84
	}
	d.load = &loading{
		file: in.File.Clone(), hash: append([]byte(nil), in.Hash...),
		stream: gp.LoadStream{Limit: min(free, gp.MaxLoadFile) + loadWrapper},
	}
	return done, nil
}

func hashLength(n int) bool {
	return n == 0 || n == sha1.Size || n == sha256.Size || n == sha512.Size384 || n == sha512.Size
}

// dropLoad ends a load sequence that is not complete and gives its memory back (GPCS 2.3.1 §9.3.5).
func (d *Domain) dropLoad() error {
	if d.load == nil {
		return nil
	}
	d.load = nil
	return d.Registry.DropLoad()
}

// loadBlock takes the next block. Each goes to memory when it comes; any failure ends the sequence.
func (d *Domain) loadBlock(cmd apdu.Command) ([]byte, error) {
	if d.load == nil {
		return nil, apdu.SW6985
	}
	out, err := d.takeBlock(cmd)
	var sw apdu.SW
	if errors.As(err, &sw) {
		if derr := d.dropLoad(); derr != nil {
			return nil, derr
		}
	}
	return out, err
}

func (d *Domain) takeBlock(cmd apdu.Command) ([]byte, error) {
	block, err := gp.ParseLoad(cmd)
	if err != nil {
		return nil, applet.Refusal(err)
	}
	if d.load.stream.Next() == 0 {
		if err := d.checkFirst(block.Data); err != nil {
			return nil, err
		}
	}
	complete, err := d.load.stream.Add(block)
	switch {
	case errors.Is(err, gp.ErrLoadTooLarge):
		return nil, apdu.SW6A84
	case err != nil:
		return nil, apdu.SW6985
	}
	if complete {
		return done, d.finishLoad()
	}
	err = d.Registry.LoadBlock(int(block.Block), block.Data)
	if errors.Is(err, registry.ErrNoMemory) || errors.Is(err, nvm.ErrFull) {
		return nil, apdu.SW6A84
	}
	return done, err
}

// checkFirst judges the stream by its first bytes where they tell: a load file longer than the
// memory left is refused at once.
func (d *Domain) checkFirst(b []byte) error {
	if b[0] != 0xC4 || len(b) < loadWrapper {
		return nil
	}
	n, _, _, err := tlv.ReadLength(b[1:])
	if err != nil {
		return apdu.SW6A80
	}
	if n > d.Registry.Free() {
		return apdu.SW6A84
	}
	return nil
}

// finishLoad checks the whole load file and registers it.
func (d *Domain) finishLoad() error {
	l := d.load
	data, dap, err := l.stream.File()
	if err != nil {
		return apdu.SW6A80
	}
	if len(dap) > 0 {
		return apdu.SW6985 // No security domain here verifies DAP blocks.
	}
	if len(l.hash) > 0 && subtle.ConstantTimeCompare(l.hash, digest(len(l.hash), data)) != 1 {
		return apdu.SW6A80
	}
	parsed, err := gp.ParseComponents(data)
	if err != nil || !parsed.Package.Equal(l.file) {
		return apdu.SW6A80
	}
	f := registry.File{AID: l.file, Major: parsed.Major, Minor: parsed.Minor}
	for _, a := range parsed.Applets {
		f.Modules = append(f.Modules, a.AID.Clone())
	}
	d.Identify(&f, parsed, data)
	err = d.Registry.AddFile(f, data)
	switch {
	case errors.Is(err, registry.ErrNoMemory):
		return apdu.SW6A84
	case errors.Is(err, registry.ErrExists):
		return apdu.SW6985
	case err != nil:
		return err
	}
	d.load = nil
	return nil
}

// digest is the hash whose length is n.
func digest(n int, data []byte) []byte {
	switch n {
	case sha1.Size:
		h := sha1.Sum(data)
		return h[:]
	case sha256.Size:
		h := sha256.Sum256(data)
		return h[:]
	case sha512.Size384:
		h := sha512.Sum384(data)
		return h[:]
	default:
		h := sha512.Sum512(data)
		return h[:]
	}
}
