// Package tks owns the token key service: named key sets, master keys by version, and what is
// derived from them: session keys, key changeover data, encrypted challenges, and the fresh keys
// that protect a private key on its way from the KRA to a card. Service implements
// connector.TKS; it is the only part of the token management system that can derive card keys.
//
// It must not know who talks to cards or how (no APDU, no TPS type), nor how requests reach it
// (package connector), nor where master keys live: it asks a keystore.Store for operations.
//
// # Which keys a card has
//
// A key set holds a developer set, the three keys that a vendor's stock ships with, and master
// keys by key version number. The master key of version VV is what tks.<keySet>.mk_mappings
// maps "#VV#II" to, II being the second byte of the key information: 01 for SCP01 and, by
// custom, SCP02, 03 for SCP03. "#VV#01" stands in for an II that has no mapping of its own.
// Without a mapping, a key whose own name in the default key store is "#VV#II" counts. The
// developer set is taken for versions 01 and FF without master key, and for every version mapped
// to a name that begins with "#01#" or "#FF#".
//
// # How a card's keys come from a master key
//
// SCP01 and SCP02: by the VISA2 method, or by NIST SP 800-108 when the key version is equal or
// above tks.<keySet>.nistSP800-108KdfOnKeyVersion. SCP03: by prot3.divers. Developer keys are
// used as they are in SCP01 and SCP02, and by prot3.diversVer1Keys in SCP03. The input is the
// KDD in all cases, at key changeover as at every later channel, so that a card opens with the
// keys that were put; NIST takes the CUID where nistSP800-108KdfUseCuidAsKdd says so.
//
// A key set that does not state nistSP800-108KdfOnKeyVersion diversifies no master key by NIST.
// An older product took the absent key for 00, which is NIST for every version; a configuration
// taken over from it must state 00 to keep opening the cards that it made. The method is part of
// a card's keys: changing the threshold, or any of prot3.*, locks out every card whose keys were
// put before.
package tks
