package simcard_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/fixtures/applets"
	"tokenwright/simcard"
	"tokenwright/simcard/stock"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
)

// each sends commands of a session and demands their status words.
func (h *host) each(steps ...exchange) {
	h.t.Helper()
	for i, s := range steps {
		got := h.hex(s.cmd)
		if len(s.want) == 4 {
			got = sw(got)
		}
		require.Equal(h.t, s.want, got, "step %d: %s", i+1, s.cmd)
	}
}

// Every stock takes both load files at every block size, and runs the applet that they hold.
func TestLoadAndInstall(t *testing.T) {
	for _, s := range stock.All() {
		for _, version := range applets.Versions() {
			t.Run(s.Name+" "+version, func(t *testing.T) {
				c := newCard(t, s.Name)
				h := channel(t, c, s.Keys.KVN, 3)
				for _, cmd := range loadApplet(t, version) {
					resp := h.send(cmd)
					require.NoError(t, resp.Err())
					require.Equal(t, []byte{0}, resp.Data)
				}
				build := version[strings.LastIndex(version, ".")+1:]
				demand(t, c,
					exchange{selectCoolKey, "9000"},
					exchange{"B070000004", strings.ToUpper(build) + "9000"},
					exchange{"B0F2000001", "079000"},
				)
				major := upper([]byte{version[0] - '0', version[2] - '0'})
				require.Equal(t, "0101"+major, send(t, c, "B03C000010")[:8])
				require.NoError(t, c.PowerOn())
				demand(t, c, exchange{selectCoolKey, "9000"})
				h = channel(t, c, s.Keys.KVN, 1) // to the applet, by its security domain
				issuer := append([]byte("http://tps.example.com/phone"), make([]byte, 196)...)
				h.each(
					exchange{"84F40000E0" + upper(issuer), "9000"},
					exchange{"84F00F0000", "9000"},
					exchange{"8440007F0870617373776F7264", "9000"},
				)
				demand(t, c, exchange{"B0F60000E0", upper(issuer) + "9000"},
					exchange{"B0F2000004", "0F0101019000"})
			})
		}
	}
}

func TestBlockSizes(t *testing.T) {
	file, err := applets.File("1.4.58768072")
	require.NoError(t, err)
	for _, size := range []int{61, 127, 128, 200, 224, 239, 247} {
		c := newCard(t, "sce7-scp03")
		level := 3
		if size > 239 {
			level = 1
		}
		h := channel(t, c, 1, scpLevel(level))
		require.NoError(t, h.send(gp.InstallForLoad{File: packageAID}.Command()).Err())
		blocks, err := gp.LoadBlocks(file, size)
		require.NoError(t, err)
		for _, b := range blocks {
			require.NoError(t, h.send(b.Command()).Err(), "blocks of %d", size)
		}
		h.each(exchange{"80F22002024F0000", "9000"})
	}
}

// load sends the blocks of a stream and gives the status word of the first that is refused.
func load(h *host, stream []byte) apdu.SW {
	const size = 200
	for n := 0; ; n++ {
		end := min(size, len(stream))
		b := gp.Load{Last: end == len(stream), Block: byte(n), Data: stream[:end]}
		if resp := h.send(b.Command()); resp.SW != apdu.SW9000 || b.Last {
			return resp.SW
		}
		stream = stream[end:]
	}
}

func TestRefusedLoads(t *testing.T) {
	file, err := applets.File("1.4.58768072")
	require.NoError(t, err)
	c := newCard(t, "sce7-scp03")
	h := channel(t, c, 1, 1)
	free := h.hex("80CAFF2100")
	wrap := func(b []byte) []byte {
		return append([]byte{0xC4, 0x82, byte(len(b) >> 8), byte(len(b))}, b...)
	}
	other := bytes.Clone(file)
	copy(other[13:], []byte{0x62, 0x76, 0x01, 0xFF, 0x00, 0x01}) // another package AID
	start := gp.InstallForLoad{File: packageAID}.Command()
	sum, sum1, sum384, sum512 := sha256.Sum256(file), sha1.Sum(file), sha512.Sum384(file),
		sha512.Sum512(file)
	for name, try := range map[string]struct {
		start  gp.InstallForLoad
		stream []byte
		want   apdu.SW
	}{
		"no wrapper":      {stream: file, want: apdu.SW6A80},
		"another tag":     {stream: append([]byte{0xC5}, wrap(file)[1:]...), want: apdu.SW6A80},
		"cut short":       {stream: wrap(file)[:9000], want: apdu.SW6A80},
		"too long":        {stream: append(wrap(file), 0), want: apdu.SW6A80},
		"empty":           {stream: []byte{0xC4, 0}, want: apdu.SW6A80},
		"DAP block":       {stream: append([]byte{0xE2, 2, 1, 2}, wrap(file)...), want: apdu.SW6985},
		"ciphered":        {stream: append([]byte{0xD4}, wrap(file)[1:]...), want: apdu.SW6A80},
		"not components":  {stream: wrap(bytes.Repeat([]byte{7}, 900)), want: apdu.SW6A80},
		"another package": {stream: wrap(other), want: apdu.SW6A80},
		"claims too much": {stream: []byte{0xC4, 0x83, 0x7F, 0, 0}, want: apdu.SW6A84},
		"wrong hash": {
			start: gp.InstallForLoad{Hash: make([]byte, 32)}, stream: wrap(file), want: apdu.SW6A80,
		},
		"SHA-256": {start: gp.InstallForLoad{Hash: sum[:]}, stream: wrap(file), want: apdu.SW9000},
		"SHA-1":   {start: gp.InstallForLoad{Hash: sum1[:]}, stream: wrap(file), want: apdu.SW9000},
		"SHA-384": {start: gp.InstallForLoad{Hash: sum384[:]}, stream: wrap(file), want: apdu.SW9000},
		"SHA-512": {start: gp.InstallForLoad{Hash: sum512[:]}, stream: wrap(file), want: apdu.SW9000},
	} {
		try.start.File = packageAID
		require.NoError(t, h.send(try.start.Command()).Err(), name)
		require.Equal(t, try.want, load(h, try.stream), name)
		if try.want == apdu.SW9000 {
			h.each(exchange{"80E40080084F06627601FF0000", "009000"})
		}
		require.Equal(t, free, h.hex("80CAFF2100"), "%s: the memory is back", name)
		h.each(exchange{"80F22002024F0000", "6A88"}, exchange{"80E8000001C4", "6985"})
	}

	// Order: strictly one after the other, from 00.
	for _, blocks := range [][]byte{{1}, {0, 0}, {0, 2}, {0, 1, 0}} {
		require.NoError(t, h.send(start).Err())
		for i, n := range blocks {
			want := apdu.SW9000
			if i == len(blocks)-1 {
				want = apdu.SW6985
			}
			require.Equal(t, want, h.send(gp.Load{Block: n, Data: wrap(file)[:50]}.Command()).SW)
		}
	}
	// GET STATUS leaves a load sequence alone, other commands end it, and so does a selection.
	require.NoError(t, h.send(start).Err())
	h.each(exchange{getStatus, "9000"})
	require.NoError(t, h.send(gp.Load{Data: wrap(file)[:50]}.Command()).Err())
	h.each(exchange{"80E40000074F05A000000001", "6A88"})
	require.Equal(t, apdu.SW6985, h.send(gp.Load{Block: 1, Data: wrap(file)[50:99]}.Command()).SW)
	require.NoError(t, h.send(start).Err())
	send(t, c, "00A4040000")
	h = channel(t, c, 1, 1)
	require.Equal(t, apdu.SW6985, h.send(gp.Load{Data: wrap(file)[:50]}.Command()).SW)
	require.Equal(t, free, h.hex("80CAFF2100"))
}

func TestRefusedInstalls(t *testing.T) {
	c := newCard(t, "gp211-scp02", withCoolKey())
	h := channel(t, c, 0xFF, 1)
	const pkg, app = "06627601FF0000", "07627601FF000000"
	install := func(p1, data string) string { return fmt.Sprintf("80E6%s00%02X%s", p1, len(data)/2, data) }
	h.each(
		// for load
		exchange{install("02", pkg+"00000000"), "6985"},                               // is there
		exchange{install("02", "05A000000001"+"08A000000151000000"+"000000"), "6A88"}, // whose domain?
		exchange{install("02", "05A000000001"+"08A000000003000000"+"000000"), "009000"},
		exchange{install("02", "05A000000001"+"00"+"03010203"+"0000"), "6A80"},
		exchange{install("02", "05A000000001"+"00"+"00"+"08EF06C6040001FFFF"+"00"), "6A84"},
		exchange{install("02", "05A000000001"+"00"+"00"+"03EF04C6"+"00"), "6A80"},
		exchange{install("02", "05A000000001"+"00"+"00"+"00"+"0101"), "6985"}, // a token
		exchange{install("02", "05A0000001"), "6A80"},
		exchange{install("02", "00000000"+"00"), "6A80"},
		// for install
		exchange{install("0C", pkg+app+app+"0100"+"02C900"+"00"), "6985"}, // is there
		exchange{install("0C", pkg+app+pkg+"0100"+"02C900"+"00"), "6985"}, // a load file's name
		exchange{install("0C", pkg+app+"08A000000003000000"+"0100"+"02C900"+"00"), "6985"},
		exchange{install("0C", pkg+"05A000000001"+"05A000000002"+"0100"+"02C900"+"00"), "6A88"},
		exchange{install("0C", "05A000000001"+app+app+"0100"+"02C900"+"00"), "6A88"},
		exchange{install("0C", pkg+app+"05A000000002"+"0100"+"00"+"00"), "6A80"}, // no C9
		exchange{install("0C", pkg+app+"05A000000002"+"0100"+"02C901"+"00"), "6A80"},
		exchange{install("0C", pkg+app+"05A000000002"+"0180"+"02C900"+"00"), "6A80"}, // a domain
		exchange{install("0C", pkg+app+"05A000000002"+"03200040"+"02C900"+"00"), "6A80"},
		exchange{install("0C", pkg+app+"05A000000002"+"0200"+"02C900"+"00"), "6A80"},
		exchange{install("0C", pkg+app+"05A000000002"+"0100"+"0AC900EF06C80400FFFFFF"+"00"), "6A84"},
		exchange{install("0C", pkg+app+"05A000000002"+"0100"+"02C900"+"0105"), "6985"}, // a token
		// purposes that do not exist, or have nothing to work on
		exchange{install("00", pkg), "6A86"}, exchange{install("42", pkg), "6A86"},
		exchange{install("0E", pkg), "6A86"}, exchange{install("82", pkg), "6A86"},
		exchange{"80E602010706627601FF0000", "6A86"},
		exchange{install("10", "05A000000001"+"00"+app+"000000"), "6985"},
		exchange{install("10", "05A000000001"+"00"+"05A000000009"+"000000"), "6A88"},
		exchange{install("20", "0000"+app+"000000"), "6985"},
		exchange{install("40", "0000"+"05A000000009"+"000000"), "6A88"},
		exchange{install("08", "0000"+app+"010000"+"00"), "6985"}, // selectable already
		// two steps
		exchange{install("04", pkg+app+"05A000000002"+"0100"+"02C900"+"00"), "009000"},
		exchange{"80F24002074F05A00000000200", "E30E4F05A0000000029F700103C501009000"},
	)
	demand(t, c, exchange{"00A4040005A000000002", "6A82"})
	h.each(
		exchange{install("08", "0000"+"05A000000002"+"010000"+"00"), "009000"},
		exchange{"80F24002074F05A00000000200", "E30E4F05A0000000029F700107C501009000"},
		// privileges of one or three bytes
		exchange{install("0C", pkg+app+"05A000000003"+"03000000"+"02C900"+"00"), "009000"},
	)
	demand(t, c, exchange{"00A4040005A000000002", "9000"}, exchange{"B071000000", "9000"})
}

func TestMemoryRunsOut(t *testing.T) {
	c := newCard(t, "op201-scp01")
	h := channel(t, c, 1, 1)
	cmds := loadApplet(t, "1.5.65cbf5a6")
	for _, cmd := range cmds {
		require.NoError(t, h.send(cmd).Err())
	}
	in := gp.InstallForInstall{
		MakeSelectable: true, File: packageAID, Module: appletAID,
		Instance: gp.AID{1, 2, 3, 4, 5}, Params: gp.InstanceParams(18000, nil),
	}
	require.Equal(t, apdu.SW6A84, h.send(in.Command()).SW)
	h.each(exchange{"80E40000094F07627601FF000000", "009000"})
	require.NoError(t, h.send(in.Command()).Err())
}

func TestDelete(t *testing.T) {
	c := newCard(t, "gp211-scp01", withCoolKey())
	h := channel(t, c, 0xFF, 3)
	h.each(
		exchange{"80E40000084F06627601FF0000", "6985"}, // it has an instance
		exchange{"80E400000A4F08A000000003000000", "6985"},
		exchange{"80E40000074F05A000000009", "6A88"},
		exchange{"80E4000000", "6A80"},
		exchange{"80E40100084F06627601FF0000", "6A86"},
		exchange{"80E48000084F06627601FF0000", "6A86"},
		exchange{"80E40080094F06627601FF000000", "6A80"},
		exchange{"80E40080084F06627601FF0000", "009000"},
		exchange{"80F22002024F0000", "6A88"},
		exchange{"80F24002024F0000", "6A88"},
	)
	demand(t, c, exchange{selectCoolKey, "6A82"})
	for _, cmd := range loadApplet(t, "1.4.58768072") {
		require.NoError(t, channelOnce(t, &h).send(cmd).Err())
	}
	demand(t, c, exchange{selectCoolKey, "9000"})
	// What an instance kept goes with it.
	h = channel(t, c, 0xFF, 1)
	h.each(exchange{"844000030431323334", "9000"})
	send(t, c, "00A4040000")
	h = channel(t, c, 0xFF, 1)
	h.each(exchange{"80E40000094F07627601FF000000", "009000"})
	require.NoError(t, h.send(gp.InstallForInstall{
		MakeSelectable: true, File: packageAID, Module: appletAID,
		Params: gp.InstallParams{0xC9, 0},
	}.Command()).Err())
	demand(t, c, exchange{selectCoolKey, "9000"}, exchange{"B048000002", "00009000"})
}

// channelOnce gives a session that stays open, opening one when a selection has ended it.
func channelOnce(t *testing.T, h **host) *host {
	t.Helper()
	if *h == nil || (*h).scp.Ended() {
		*h = channel(t, (*h).c, (*h).set.KVN, 3)
	}
	return *h
}

func TestPutKeyRefusals(t *testing.T) {
	for _, s := range stock.All() {
		t.Run(s.Name, func(t *testing.T) {
			c := newCard(t, s.Name)
			h := channel(t, c, s.Keys.KVN, 1)
			old := s.Keys.KVN
			if old == 0xFF {
				old = 0
			}
			before := send(t, newCard(t, s.Name), "80CA00E000")
			spoil := func(f func(*gp.PutKey)) apdu.SW {
				p, err := gp.ParsePutKey(h.putKeys(old, 2))
				require.NoError(t, err)
				f(&p)
				return h.send(p.Command()).SW
			}
			for name, try := range map[string]struct {
				f    func(*gp.PutKey)
				want apdu.SW
			}{
				"KCV of the third": {func(p *gp.PutKey) { p.Keys[2].KCV = []byte{1, 2, 3} }, apdu.SW6982},
				"no KCV":           {func(p *gp.PutKey) { p.Keys[0].KCV = nil }, apdu.SW6A80},
				"version 00":       {func(p *gp.PutKey) { p.KVN = 0 }, apdu.SW6A80},
				"version 80":       {func(p *gp.PutKey) { p.KVN = 0x80 }, apdu.SW6A80},
				"nothing replaced": {func(p *gp.PutKey) { p.OldKVN = 0x44 }, apdu.SW6A88},
				"another type":     {func(p *gp.PutKey) { p.Keys[1].Type = gp.KeyHMAC }, apdu.SW6A80},
				"8 bytes":          {func(p *gp.PutKey) { p.Keys[1].Value = p.Keys[1].Value[:8] }, apdu.SW6A80},
				"chained":          {func(p *gp.PutKey) { p.More = true }, apdu.SW6A86},
				"key 0":            {func(p *gp.PutKey) { p.FirstKeyID = 0 }, apdu.SW6A86},
				"key 4":            {func(p *gp.PutKey) { p.FirstKeyID = 2 }, apdu.SW6A86},
			} {
				require.Equal(t, try.want, spoil(try.f), name)
			}
			require.Equal(t, "6A80", h.hex("80D8008103010203"))
			if !s.Quirks.NoRecognition {
				require.Equal(t, before, h.hex("80CA00E000"), "nothing has changed")
			}
			require.Equal(t, apdu.SW9000, spoil(func(*gp.PutKey) {}))
			if s.Keys.KVN != 0xFF {
				require.Equal(t, apdu.SW6A88, h.send(h.putKeys(1, 2)).SW, "version 01 is gone")
			}
			require.Equal(t, apdu.SW6A80, h.send(h.putKeys(0, 2)).SW, "is there")
		})
	}
}

// Sets stand beside each other, FF gives way to the first, and single keys build a set.
func TestKeySets(t *testing.T) {
	c := newCard(t, "gp211-scp02")
	h := channel(t, c, 0xFF, 1)
	single := func(kvn keys.KVN, id int) {
		p, err := gp.ParsePutKey(h.putKeys(0, kvn))
		require.NoError(t, err)
		p.FirstKeyID, p.Multiple, p.Keys = keys.KeyID(id), false, p.Keys[id-1:id]
		require.NoError(t, h.send(p.Command()).Err())
	}
	single(5, 1)
	single(5, 3)
	require.Equal(t, "E01EC00401FF8010C00402FF8010C00403FF8010C00401058010C004030580109000",
		h.hex("80CA00E000"))
	single(5, 2)
	require.Equal(t, "E012C00401058010C00402058010C004030580109000", h.hex("80CA00E000"))
	h = channel(t, c, 5, 1)
	require.NoError(t, h.send(h.putKeys(0, 6)).Err())
	require.Equal(t, 6, strings.Count(h.hex("80CA00E000"), "C004"))
	h = channel(t, c, 6, 1)
	h.each(
		exchange{"80E4000003D20107", "6A88"},
		exchange{"80E4000003D20105", "009000"},
		exchange{"80E4000006D00102D20105", "6A88"},
		exchange{"80E4000003D20106", "6985"}, // the last set
		exchange{"80E4000006D00101D20106", "6985"},
		exchange{"80CA00E000", "E012C00401068010C00402068010C004030680109000"},
	)
	channel(t, c, 6, 1)
	require.Equal(t, "6A88", send(t, c, "8050050008000000000000000000"))
}

// AES keys come in both encodings; a replaced key keeps algorithm and size (AMD-D §7.2,
// GPCS 2.3.1 §11.8.2.3.3).
func TestAESKeyEncodings(t *testing.T) {
	c := newCard(t, "sce7-scp03")
	h := channel(t, c, 1, 3)
	p, err := gp.ParsePutKey(h.putKeys(1, 2))
	require.NoError(t, err)
	for i := range p.Keys {
		p.Keys[i].Length = 16
	}
	require.NoError(t, h.send(p.Command()).Err())
	h = channel(t, c, 2, 3)

	// A longer key is no replacement, but a set of its own; 24 bytes come padded.
	for _, size := range []int{24, 32} {
		add := gp.PutKey{FirstKeyID: 1, Multiple: true}
		add.KVN = keys.KVN(0x30 + size)
		for i := range 3 {
			k, err := keys.New(keys.AES, bytes.Repeat([]byte{byte(i + size)}, size))
			require.NoError(t, err)
			padded := append(k.Bytes(), make([]byte, 32-size)...)
			v, err := h.set.DEK.EncryptCBC(nil, padded)
			require.NoError(t, err)
			kcv := k.KCV()
			add.Keys = append(add.Keys, gp.KeyData{
				Type: gp.KeyAES, Length: byte(size), Value: v, KCV: kcv[:],
			})
		}
		replace := add
		replace.OldKVN = 2
		require.Equal(t, apdu.SW6A80, h.send(replace.Command()).SW)
		require.NoError(t, h.send(add.Command()).Err())
		set := keys.KeySet{KVN: add.KVN}
		for i, k := range []*keys.Key{&set.ENC, &set.MAC, &set.DEK} {
			*k, err = keys.New(keys.AES, bytes.Repeat([]byte{byte(i + size)}, size))
			require.NoError(t, err)
		}
		other, ch, _ := initialize(t, c, set)
		require.Equal(t, apdu.SW9000, other.authenticate(ch, 3, nil))
		h = channel(t, c, 2, 3)
	}
	mixed := gp.PutKey{OldKVN: 0, FirstKeyID: 1, Multiple: true}
	mixed.KVN = 9
	p, err = gp.ParsePutKey(h.putKeys(0, 9))
	require.NoError(t, err)
	k, err := keys.New(keys.AES, bytes.Repeat([]byte{1}, 32))
	require.NoError(t, err)
	v, err := h.set.DEK.EncryptCBC(nil, k.Bytes())
	require.NoError(t, err)
	kcv := k.KCV()
	mixed.Keys = append(p.Keys[:2], gp.KeyData{Type: gp.KeyAES, Value: v, KCV: kcv[:]})
	require.Equal(t, apdu.SW6A80, h.send(mixed.Command()).SW, "keys of unequal length")
}

func TestGetStatus(t *testing.T) {
	c := newCard(t, "gp211-scp01", withCoolKey())
	h := channel(t, c, 0xFF, 1)
	h.each(
		exchange{"80F28002024F0000", "E3114F08A0000000030000009F700101C5019E9000"},
		exchange{"80F28000024F0000", "08A000000003000000019E9000"},
		exchange{"80F24002024F0000", "E3104F07627601FF0000009F700107C501009000"},
		exchange{"80F24000024F0000", "07627601FF00000007009000"},
		exchange{"80F22002024F0000", "E30C4F06627601FF00009F7001019000"},
		exchange{"80F21002024F0000", "E3154F06627601FF00009F7001018407627601FF0000009000"},
		exchange{"80F21000024F0000", "06627601FF000001000107627601FF0000009000"},
		exchange{"80F24002074F05627601FF0000", "9000"},
		exchange{"80F24002074F05A00000000900", "6A88"},
		exchange{"80F24003024F0000", "6985"}, // nothing goes on
		exchange{"80F28003024F0000", "6985"},
		exchange{"80F20002024F0000", "6A86"},
		exchange{"80F2C002024F0000", "6A86"},
		exchange{"80F28004024F0000", "6A86"},
		exchange{"80F2800200", "6A80"},
		exchange{"80F28002025C0000", "6A80"},
	)
	newer := newCard(t, "sce7-scp03", withCoolKey())
	h = channel(t, newer, 1, 1)
	h.each(
		exchange{"80F28002024F0000", "E31D4F08A0000001510000009F70010FC5039EFE80CC08A0000001510000009000"},
		exchange{"80F24002064F005C024FC500", "E30E4F07627601FF000000C5030000009000"},
		exchange{"80F24002074F005C034F9F7000", "E30D4F07627601FF0000009F7001079000"},
	)
	old := channel(t, newCard(t, "op201-scp01"), 1, 1)
	old.each(exchange{"80F21002024F0000", "6A86"}, exchange{"80F22002024F0000", "6A88"})
}

// A registry longer than one answer comes in pages of whole entries.
func TestGetStatusPages(t *testing.T) {
	for _, level := range []int{1, 0x33} {
		c := newCard(t, "sce7-scp03", withCoolKey())
		h := channel(t, c, 1, scpLevel(level))
		const n = 30
		for i := range n {
			require.NoError(t, h.send(gp.InstallForInstall{
				File: packageAID, Module: appletAID, Instance: gp.AID{0xA0, 0, 0, 0, 9, byte(i)},
				Params: gp.InstallParams{0xC9, 4, 0, 2, 0, 64},
			}.Command()).Err())
		}
		for _, tagged := range []string{"0", "2"} {
			all, cmd := "", "80F2400"+tagged+"024F0000"
			for pages := 1; ; pages++ {
				resp := h.hex(cmd)
				all += resp[:len(resp)-4]
				if sw(resp) == "9000" {
					require.Greater(t, pages, 1)
					break
				}
				require.Equal(t, "6310", sw(resp))
				cmd = "80F2400" + map[string]string{"0": "1", "2": "3"}[tagged] + "024F0000"
			}
			for i := range n {
				require.Equal(t, 1, strings.Count(all, "06A000000009"+upper([]byte{byte(i)})))
			}
		}
	}
}

func TestCardLifeCycle(t *testing.T) {
	c := newCard(t, "gp211-scp01", withCoolKey())
	h := channel(t, c, 0xFF, 1)
	h.each(
		exchange{"80F0800100", "6985"}, exchange{"80F0800300", "6A80"},
		exchange{"80F0807F00", "6985"}, // locked from SECURED alone
		exchange{"80F0800700", "9000"}, exchange{"80F0800100", "6985"},
		exchange{"80F080070AA000000003000000FFFF", "6985"}, // data do not matter
		exchange{"80F0800F00", "9000"}, exchange{"80F0800700", "6985"},
		exchange{"80F0807F00", "9000"},
		exchange{getStatus, "E3114F08A0000000030000009F70017FC5019E9000"},
		exchange{"80E40080084F06627601FF0000", "6985"}, exchange{"80E20000024200", "6985"},
		exchange{"80D80081020101", "6985"}, exchange{"80F0408007627601FF000000", "6985"},
	)
	demand(t, c, exchange{selectCoolKey, "6A82"},
		exchange{"00A4040000", strings.Replace(fciVisa, "FF9000", "FF6283", 1)})
	require.NoError(t, c.PowerOn())
	h = channel(t, c, 0xFF, 1)
	h.each(exchange{"80F0800F00", "9000"})
	demand(t, c, exchange{selectCoolKey, "9000"}, exchange{"00A4040000", fciVisa})
	h = channel(t, c, 0xFF, 1)
	h.each(exchange{"80F080FF00", "9000"})
	require.NoError(t, c.PowerOn())
	demand(t, c,
		exchange{"80CA9F7F00", "9000"}, exchange{initUpdate, "6985"},
		exchange{"00A4040000", "6985"}, exchange{getStatus, "6985"})
}

func TestApplicationLifeCycle(t *testing.T) {
	c := newCard(t, "sce7-scp03", withCoolKey())
	demand(t, c, exchange{selectCoolKey, "9000"})
	h := channel(t, c, 1, 1)
	h.each(exchange{"84F01F0000", "9000"}, exchange{"84F0030000", "9C0F"},
		exchange{"84F0800000", "9C0F"}, exchange{"84F07F0000", "9000"},
		exchange{"84F01F0000", "9000"})
	send(t, c, "00A4040000")
	h = channel(t, c, 1, 1)
	const aid = "07627601FF000000"
	h.each(
		exchange{"80F04080" + aid, "9000"},
		exchange{"80F04080" + aid, "6985"}, // is locked
		exchange{"80F24002024F0000", "E3244F07627601FF0000009F70019FC503000000C406627601FF0000" +
			"CC08A0000001510000009000"},
	)
	demand(t, c, exchange{selectCoolKey, "6A82"})
	h = channel(t, c, 1, 1)
	h.each(
		exchange{"80F0400007627601FF000000", "9000"},
		exchange{"80F0400007627601FF000000", "6985"}, // was not locked
		exchange{"80F0400F07627601FF000000", "6985"}, // the application's own business
		exchange{"80F0408005A000000009", "6A88"}, exchange{"80F0608007627601FF000000", "6A88"},
		exchange{"80F0408008A000000151000000", "6985"}, exchange{"80F0208005A000000009", "6A86"},
		exchange{"80F0408000", "6A80"},
	)
	demand(t, c, exchange{selectCoolKey, "9000"}, exchange{"B0F2000001", "1F9000"})
}

func TestStoreData(t *testing.T) {
	c := newCard(t, "gp211-scp01")
	demand(t, c, exchange{"80CA004200", "6A88"}, exchange{"80CA004500", "6A88"},
		exchange{"80E2900003420101", "6982"})
	h := channel(t, c, 0xFF, 1)
	h.each(
		exchange{"80E290000842030102034501AA", "9000"},
		exchange{"80CA004200", "42030102039000"}, exchange{"80CA004500", "4501AA9000"},
		exchange{"00CA004500", "AA9000"}, // the interindustry class: value alone
		exchange{"80E28800070070044502BBCC", "9000"}, exchange{"80CA004500", "4502BBCC9000"},
		exchange{"80E2900003C10101", "6A80"}, exchange{"80E2900003D30101", "6A80"},
		exchange{"80E2900006420101C10100", "6A80"}, exchange{"80CA004200", "42030102039000"},
		exchange{"80E2900003420501", "6A80"}, exchange{"80E2900000", "6A80"},
		exchange{"80E2F00003420101", "6A86"}, exchange{"80E2980003420101", "6A86"},
		exchange{"80E28800030071 00", "6A80"}, exchange{"80E2880002007 0", "6A80"},
		exchange{"80E288000A0070FF00054503010203", "9000"}, exchange{"80E28800040070FF00", "6A80"},
		exchange{"80E28800040070 0542", "6A80"}, exchange{"80CA004500", "45030102039000"},
		// blocks: one after the other, from 00
		exchange{"80E2100002420300", "9000"}, exchange{"80E290020111", "6A86"},
		exchange{"80E290010111", "6A86"},
		exchange{"80E2100003420311", "9000"}, exchange{"80E290010222 33", "9000"},
		exchange{"80CA004200", "42031122339000"},
		exchange{"80E290002342" + "21" + strings.Repeat("00", 33), "6A84"},
		exchange{"80E290000CCF0A01020304050607080 90A", "9000"},
		exchange{"80CA00CF00", "CF0A0102030405060708090A9000"},
		exchange{"80E2900002CF00", "6A80"},
		exchange{"80F0800700", "9000"},
		exchange{"80E290000CCF0A01020304050607080 90B", "6985"}, // the factory's no more
	)
	require.NoError(t, c.PowerOn())
	require.Equal(t, "0102030405060708090A", send(t, c, initUpdate)[:20])
}

// Whatever a card answers survives in its state file, whoever opens it.
func TestStateFile(t *testing.T) {
	path := t.TempDir() + "/card"
	c, err := simcard.New(stockOf(t, "sce6-scp03"), simcard.WithState(path))
	require.NoError(t, err)
	require.NoError(t, c.PowerOn())
	h := channel(t, c, 0xFF, 3)
	for _, cmd := range loadApplet(t, "1.5.65cbf5a6") {
		require.NoError(t, h.send(cmd).Err())
	}
	require.NoError(t, h.send(h.putKeys(0, 2)).Err())
	send(t, c, "00A4040000")
	cplc := send(t, c, "80CA9F7F00")
	_, err = simcard.Open(path)
	require.Error(t, err, "in use")
	require.NoError(t, c.Close())

	c, err = simcard.Open(path)
	require.NoError(t, err)
	require.NoError(t, c.PowerOn())
	require.Equal(t, "sce6-scp03", c.Stock().Name)
	require.Equal(t, cplc, send(t, c, "80CA9F7F00"))
	channel(t, c, 2, 3)
	demand(t, c, exchange{selectCoolKey, "9000"}, exchange{"B070000004", "65CBF5A69000"})
	require.NoError(t, c.Close())
	_, err = simcard.New(stockOf(t, "sce6-scp03"), simcard.WithState(path), simcard.WithKVN(3))
	require.ErrorIs(t, err, simcard.ErrExisting)
	_, err = simcard.New(stockOf(t, "sce7-scp03"), simcard.WithState(path))
	require.ErrorContains(t, err, "holds a card of stock sce6-scp03")
	_, err = simcard.Open(t.TempDir() + "/none")
	require.Error(t, err)
}
