package tks

import (
	"errors"
	"fmt"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
)

// keySet is a key set ready for use. It is immutable.
type keySet struct {
	KeySetConfig
	developerDES kdf.CardKeys // zero when the developer keys don't suit SCP01 and SCP02
	developer03  kdf.CardKeys // zero without developer keys
	masters      map[Slot]kdf.Secret
	literal      map[Slot]kdf.Secret // keys whose own name is "#VV#II", shared by all key sets
}

// source is where the keys of a card come from: a master key, or the developer set if master is
// nil.
type source struct {
	master kdf.Secret
	slot   Slot
}

func (s source) String() string {
	if s.master == nil {
		return "developer set"
	}
	return "master key " + s.slot.String()
}

// newKeySet makes a validated configuration ready. masters holds every mapped key.
func newKeySet(c KeySetConfig, masters, literal map[Slot]kdf.Secret) (*keySet, error) {
	k := &keySet{KeySetConfig: c, masters: masters, literal: literal}
	if !c.hasDeveloper() {
		return k, nil
	}
	var err error
	if k.developer03, err = c.developerKeys(c.SCP03.DeveloperType); err != nil {
		return nil, err
	}
	if len(c.Auth) == 16 {
		k.developerDES, err = c.developerKeys(keys.DES3)
	}
	return k, err
}

func (k *KeySetConfig) developerKeys(alg keys.Algorithm) (kdf.CardKeys, error) {
	var out [3]keys.Key
	for i, d := range k.developer() {
		key, err := keys.New(alg, d.bytes)
		if err != nil {
			return kdf.CardKeys{}, fmt.Errorf("tks.%s.%s: %w", k.Name, d.name, err)
		}
		out[i] = key
	}
	return kdf.CardKeys{ENC: out[0], MAC: out[1], DEK: out[2]}, nil
}

// find decides where the keys of version info.KVN come from, as the package comment says.
func (k *keySet) find(info keys.KeyInfo) (source, error) {
	slots := []Slot{{info.KVN, info.SCP}, {info.KVN, 1}}
	for _, s := range slots {
		if m, ok := k.Mappings[s]; ok {
			if m.developer() {
				return source{slot: s}, nil
			}
			return source{master: k.masters[s], slot: s}, nil
		}
	}
	if info.KVN == 0x01 || info.KVN == 0xFF {
		return source{slot: slots[0]}, nil
	}
	for _, s := range slots {
		if m, ok := k.literal[s]; ok {
			return source{master: m, slot: s}, nil
		}
	}
	return source{}, connector.Errorf(connector.StatusConfig,
		"key set %s has no master key for version %v: tks.%s.mk_mappings.%v is not set",
		k.Name, info.KVN, k.Name, slots[0])
}

// cardKeys gives the three static keys of a card.
func (k *keySet) cardKeys(c connector.CardID) (kdf.CardKeys, error) {
	if c.SCP = c.Protocol(); c.SCP == 2 {
		c.Info.SCP = 1
	}
	src, err := k.find(c.Info)
	if err != nil {
		return kdf.CardKeys{}, err
	}
	ck, err := k.derive(src, c)
	if err != nil {
		return kdf.CardKeys{}, fmt.Errorf("%v of key set %s: %w", src, k.Name, err)
	}
	return ck, nil
}

// derive takes the way of the protocol from src to the card's keys.
func (k *keySet) derive(src source, c connector.CardID) (kdf.CardKeys, error) {
	in := kdf.Input{KDD: c.KDD, CUID: c.CUID}
	method, base := kdf.VISA2, kdf.CardKeys{}
	switch scp := c.Protocol(); {
	case scp == 3 && src.master == nil:
		method, base, in.Out = k.SCP03.Developer, k.developer03, keys.AES
	case scp == 3:
		method, base, in.Out = k.SCP03.Master, kdf.OneKey(src.master), keys.AES
	case src.master == nil:
		if k.hasDeveloper() && k.developerDES.ENC == nil {
			return kdf.CardKeys{}, connector.Errorf(connector.StatusConfig,
				"developer keys of %d bytes are no DES3 keys", len(k.Auth))
		}
		base = k.developerDES
	case k.NIST.covers(src.slot.KVN):
		method, base = kdf.NIST, kdf.OneKey(src.master)
		in.UseCUID, in.Out = k.NIST.UsesCUID, keys.DES3
	default:
		base = kdf.OneKey(src.master)
	}
	if base.ENC == nil {
		return kdf.CardKeys{}, connector.Errorf(connector.StatusConfig,
			"tks.%s.auth_key is not set", k.Name)
	}
	if src.master == nil && c.Protocol() != 3 {
		return base, nil
	}
	ck, err := kdf.DiversifyEach(method, base, in)
	if errors.Is(err, kdf.ErrAlgorithm) {
		return kdf.CardKeys{}, &connector.Error{Status: connector.StatusConfig, Err: err}
	}
	if err != nil {
		return kdf.CardKeys{}, &connector.Error{Status: connector.StatusDerivation, Err: err}
	}
	return ck, nil
}

// try derives with every key of the set for a card that does not exist, so that a master key
// that can't be used is found when the service starts. A master key must suit SCP03 if that is
// what its slot says, and otherwise at least one protocol.
func (k *keySet) try() error {
	var errs []error
	probe := func(src source, scp byte) error {
		_, err := k.derive(src, connector.CardID{SCP: scp, KDD: keys.KDD{1}, CUID: keys.CUID{1},
			Info: keys.KeyInfo{KVN: src.slot.KVN, SCP: src.slot.Index}})
		return err
	}
	for _, s := range sortedSlots(k.masters) {
		src := source{master: k.masters[s], slot: s}
		err := probe(src, 3)
		if s.Index != 3 && err != nil {
			if desErr := probe(src, 1); desErr == nil {
				err = nil
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("tks.%s.mk_mappings.%v: %w", k.Name, s, err))
		}
	}
	if k.hasDeveloper() {
		if err := probe(source{slot: Slot{KVN: 1, Index: 3}}, 3); err != nil {
			errs = append(errs, fmt.Errorf("tks.%s.auth_key: %w", k.Name, err))
		}
	}
	return errors.Join(errs...)
}
