package stock

import (
	"encoding/binary"
	"fmt"
	"io"

	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
)

// Identity is what makes one card of a stock differ from the next.
type Identity struct {
	CPLC [CPLCLen]byte
	KDD  keys.KDD
	Keys keys.KeySet // secret; the factory set, already diversified
}

// CUID is the card unique identifier in the CPLC: fabricator, type, batch and serial number.
func (i Identity) CUID() keys.CUID {
	return CUID(i.CPLC)
}

// CUID cuts the card unique identifier from 42 bytes of CPLC.
func CUID(c [CPLCLen]byte) keys.CUID {
	var out keys.CUID
	copy(out[0:4], c[0:4])
	copy(out[4:6], c[16:18])
	copy(out[6:10], c[12:16])
	return out
}

// Make gives the identity of a new card; serial number, batch and the personaliser's number come
// from random.
func (s Stock) Make(random io.Reader) (Identity, error) {
	var r [10]byte
	if _, err := io.ReadFull(random, r[:]); err != nil {
		return Identity{}, fmt.Errorf("making a card of %s: %w", s.Name, err)
	}
	id := Identity{CPLC: s.CPLC.bytes(
		binary.BigEndian.Uint32(r[0:]), binary.BigEndian.Uint16(r[4:]), binary.BigEndian.Uint32(r[6:]),
	)}
	id.KDD = s.kdd(id.CPLC)
	set, err := s.FactoryKeys(id.KDD)
	if err != nil {
		return Identity{}, err
	}
	id.Keys = set
	return id, nil
}

// kdd builds the key diversification data. Distinct ones hold 0000, the IC type, serial number and
// batch: the six bytes that EMV diversification reads are the card's own.
func (s Stock) kdd(c [CPLCLen]byte) keys.KDD {
	if !s.DistinctKDD {
		return keys.KDD(CUID(c))
	}
	var out keys.KDD
	copy(out[2:4], c[2:4])
	copy(out[4:8], c[12:16])
	copy(out[8:10], c[16:18])
	return out
}

// FactoryKeys gives the factory key set of the card with the given KDD.
func (s Stock) FactoryKeys(kdd keys.KDD) (keys.KeySet, error) {
	f := s.Keys
	algorithm := keys.DES3
	if f.Method == kdf.None {
		algorithm = f.Algorithm
	}
	master, err := keys.New(algorithm, f.Master)
	if err != nil {
		return keys.KeySet{}, fmt.Errorf("master key of %s: %w", s.Name, err)
	}
	masters := keys.KeySet{KVN: f.KVN, ENC: master, MAC: master, DEK: master}
	if f.Method == kdf.None {
		return masters, nil
	}
	return kdf.DiversifySetInput(f.Method, masters, kdf.Input{KDD: kdd, Out: f.Algorithm})
}
