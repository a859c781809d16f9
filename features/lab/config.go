package lab

import (
	"fmt"
	"maps"
	"strconv"

	"tokenwright/features/loopback"
	"tokenwright/simcard/stock"
	"tokenwright/tms/instance"
)

// nobody is a port on which nothing listens, so that connecting is refused at once.
const nobody = 1

// tks1 is where the TPS's connection to its TKS is configured.
const tks1 = "tps.connector.tks1."

// Config gives the keys of CS.cfg that make an instance at home in a laboratory: its directory, keys
// changed to version 2, and the key set of each virtual stock.
func Config(directoryPort int) map[string]map[string]string {
	ldap := "auths.instance.ldap1.ldap."
	tps := map[string]string{
		ldap + "ldapconn.host":          "127.0.0.1",
		ldap + "ldapconn.port":          strconv.Itoa(directoryPort),
		ldap + "ldapconn.secureConn":    "false",
		ldap + "ldapconn.allowPlain":    "true",
		ldap + "basedn":                 BaseDN,
		ldap + "ldapauth.userDNPattern": "uid=$userid$,ou=people," + BaseDN,

		"op.format.keySetMappingResolver":   "keySetMappingResolver",
		"op.enroll.keySetMappingResolver":   "keySetMappingResolver",
		"op.pinReset.keySetMappingResolver": "keySetMappingResolver",

		// devices are enrolled without anybody there to log in
		"op.enroll.tokenKey.auth.enable": "false",
	}
	for _, typ := range []string{
		"format.userKey", "format.cleanToken", "enroll.userKey", "enroll.userKeyTemporary",
		"enroll.tokenKey", "pinReset.userKey",
	} {
		keys := "op." + typ + ".update.symmetricKeys."
		tps[keys+"enable"], tps[keys+"requiredVersion"] = "true", "2"
	}
	maps.Copy(tps, keySets())
	return map[string]map[string]string{instance.TPS: tps}
}

// withKRA has encryption keys made by the KRA, unless base says otherwise, and the TKS make keys for their
// way to a card.
func withKRA(base map[string]map[string]string) map[string]map[string]string {
	tps := map[string]string{}
	for _, typ := range []string{"userKey", "userKeyTemporary"} {
		tps["op.enroll."+typ+".keyGen.encryption.serverKeygen.enable"] = "true"
	}
	maps.Copy(tps, base[instance.TPS])
	tks := maps.Clone(base[instance.TKS])
	if tks == nil {
		tks = map[string]string{}
	}
	tks["tks.drm_transport_cert_nickname"] = transportNickname
	base[instance.TPS], base[instance.TKS] = tps, tks
	return base
}

// keySets maps each stock to the TKS's key set for its kind of cards, by answer to reset.
func keySets() map[string]string {
	const resolver = "mappingResolver.keySetMappingResolver.mapping."
	out := map[string]string{}
	n, order := 0, ""
	add := func(atr, keySet string) {
		at := resolver + strconv.Itoa(n)
		for _, f := range []string{"appletMajorVersion", "appletMinorVersion", "tokenCUID.start",
			"tokenCUID.end", "keySet"} {
			out[at+".filter."+f] = ""
		}
		out[at+".filter.tokenATR"], out[at+".target.keySet"] = atr, keySet
		if n > 0 {
			order += ","
		}
		order += strconv.Itoa(n)
		n++
	}
	if s, err := stock.ByName("sce7-scp03"); err == nil {
		add(fmt.Sprintf("%X", s.ATR), "aesKeySet")
	}
	add("", "defKeySet")
	out[resolver+"order"] = order
	return out
}

// overlay gives base with more keys of the TPS on top.
func overlay(base map[string]map[string]string, tps map[string]string) map[string]map[string]string {
	out := map[string]map[string]string{}
	for k, v := range base {
		out[k] = maps.Clone(v)
	}
	if out[instance.TPS] == nil {
		out[instance.TPS] = map[string]string{}
	}
	maps.Copy(out[instance.TPS], tps)
	return out
}

// withPort moves the TPS to a port and the TKS to a free one, and tells the TPS where the TKS is: as both
// run in one process, they need no connection.
func withPort(base map[string]map[string]string, port int) (map[string]map[string]string, error) {
	tksPort, err := loopback.Port()
	if err != nil {
		return nil, err
	}
	out := overlay(base, map[string]string{
		"service.listen": loopback.Addr(port),
		tks1 + "host":    "127.0.0.1", tks1 + "port": strconv.Itoa(tksPort),
	})
	tks := maps.Clone(out[instance.TKS])
	if tks == nil {
		tks = map[string]string{}
	}
	tks["service.listen"] = loopback.Addr(tksPort)
	// Laboratories share the folder of their instance; each is administered by itself.
	out[instance.TPS]["admin.socket"] = fmt.Sprintf("admin-%d.sock", port)
	out[instance.TPS]["admin.labels"] = fmt.Sprintf("token-states-%d.properties", port)
	tks["admin.socket"] = "none"
	out[instance.TKS] = tks
	return out, nil
}
