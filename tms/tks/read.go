package tks

import (
	"errors"
	"strconv"
	"strings"

	"tokenwright/tms/conf"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
)

// ReadConfig reads the tks.* keys of a TKS's CS.cfg. It finds the key sets by their keys. All
// errors are reported at once, each with its key, file and line. Warnings are about keys that
// once meant something this service does not do.
func ReadConfig(c *conf.Config) (cfg Config, warnings []string, err error) {
	var errs []error
	t := c.Sub("tks")
	cfg.MasterKeyPrefix = t.String("master_key_prefix")
	oaep, err := c.Bool("keyWrap.useOAEP", true)
	errs = append(errs, err)
	cfg.PKCS1v15 = !oaep
	cfg.StaticKEK, err = t.Bool("scp03.sendStaticKek", false)
	errs = append(errs, err)
	if validate, err := c.Bool("cardcryptogram.validate.enable", true); err != nil || !validate {
		errs = append(errs, err)
		warnings = append(warnings, c.FullKey("cardcryptogram.validate.enable")+
			": card cryptograms are verified in any case")
	}
	if random, err := t.Bool("EncryptData.isRandom", false); err != nil || random {
		errs = append(errs, err)
		warnings = append(warnings, t.FullKey("EncryptData.isRandom")+
			": the caller's data is encrypted in any case")
	}
	for _, name := range keySetNames(t) {
		set, err := readKeySet(t, name)
		cfg.KeySets, errs = append(cfg.KeySets, set), append(errs, err)
	}
	if len(cfg.KeySets) == 0 {
		errs = append(errs, errors.New("no key set: tks.<keySet>.auth_key or mk_mappings is needed"))
	}
	return cfg, warnings, errors.Join(errs...)
}

// keySetNames finds the words below tks that have a key only key sets have.
func keySetNames(t *conf.Config) []string {
	var names []string
	for _, child := range t.Children() {
		for _, key := range t.Sub(child).Keys() {
			if strings.HasSuffix(key, "_key") || strings.HasPrefix(key, "mk_mappings.") ||
				strings.HasPrefix(key, "prot3.") {
				names = append(names, child)
				break
			}
		}
	}
	return names
}

func readKeySet(t *conf.Config, name string) (set KeySetConfig, err error) {
	c := t.Sub(name)
	set = KeySetConfig{Name: name, Mappings: map[Slot]Mapping{}, SCP03: DefaultSCP03()}
	var errs []error
	for _, k := range []struct {
		key string
		to  *Bytes
	}{{"auth_key", &set.Auth}, {"mac_key", &set.MAC}, {"kek_key", &set.KEK}} {
		b, err := c.Hex(k.key, 16, 32)
		*k.to, errs = b, append(errs, err)
	}
	for _, m := range []struct {
		key string
		to  *kdf.Method
	}{{"prot3.divers", &set.SCP03.Master}, {"prot3.diversVer1Keys", &set.SCP03.Developer}} {
		text, err := c.OneOf(m.key, "emv", "emv", "visa2", "gpkmc", "kdf3", "none")
		if err == nil {
			*m.to, err = kdf.ParseMethod(text)
		}
		errs = append(errs, err)
	}
	for _, a := range []struct {
		key string
		to  *keys.Algorithm
	}{
		{"prot3.masterKeyType", &set.SCP03.MasterType},
		{"prot3.devKeyType", &set.SCP03.DeveloperType},
	} {
		text, err := c.OneOf(a.key, "DES3", "DES3", "AES")
		if text == "AES" {
			*a.to = keys.AES
		}
		errs = append(errs, err)
	}
	if set.NIST, err = readNIST(c); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, readMappings(c, set.Mappings))
	return set, errors.Join(errs...)
}

const nistKey = "nistSP800-108KdfOnKeyVersion"

// readNIST reads the threshold, two hex digits, and what the context is.
func readNIST(c *conf.Config) (n NISTConfig, err error) {
	if n.UsesCUID, err = c.Bool("nistSP800-108KdfUseCuidAsKdd", false); err != nil {
		return n, err
	}
	text := c.String(nistKey)
	if text == "" {
		return n, nil
	}
	v, err := strconv.ParseUint(strings.TrimPrefix(text, "#"), 16, 8)
	if err != nil {
		return n, c.Errorf(nistKey, "%w: want a key version of two hex digits", conf.ErrValue)
	}
	n.Enabled, n.From = true, keys.KVN(v)
	return n, nil
}

func readMappings(c *conf.Config, to map[Slot]Mapping) error {
	var errs []error
	m := c.Sub("mk_mappings")
	for _, key := range m.Keys() {
		slot, err := ParseSlot(key)
		if err != nil {
			errs = append(errs, m.Errorf(key, "%w", err))
			continue
		}
		if _, dup := to[slot]; dup {
			errs = append(errs, m.Errorf(key, "%v is mapped twice", slot))
		}
		value, err := m.Required(key)
		errs = append(errs, err)
		store, name, ok := strings.Cut(value, ":")
		if !ok {
			store, name = "", value
		}
		to[slot] = Mapping{Store: strings.TrimSpace(store), Name: strings.TrimSpace(name)}
	}
	return errors.Join(errs...)
}
