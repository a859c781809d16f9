// Package instance makes and runs an instance: a directory that holds what one installation of
// the token management system is made of. Init makes one, Open builds its subsystems from their
// configuration and joins them, Serve listens.
//
// It owns the layout of the directory, the certificates for TLS between the parts, which
// listener offers what, and the order of start and stop. It must not know what a subsystem does
// with a request: it is the one place where subsystems meet as implementations, and only to hand
// each the contracts of the others.
//
// # The directory
//
//	ca/          the CA that issues the certificates below, for TLS only; needed to issue, not to run
//	tks/         CS.cfg, keystore, keystore.passphrase, certs/
//	kra/         CS.cfg, keystore, keystore.passphrase, certs/, keys.db
//	ocsp/        CS.cfg, keystore, keystore.passphrase, certs/: a responder apart from its CAs
//	kra-agents/  certificates of recovery agents, to be handed out
//	admins/      certificates of administrators, to be handed out
//	tps/         CS.cfg, keystore, keystore.passphrase, certs/, tokens.db, phoneHome.xml, applets/
//
// tks/ and tps/ stand on their own: either may move to another machine. Paths in a CS.cfg that
// are not absolute begin in its directory. A certificate nickname N means certs/N.crt and
// certs/N.key; certs/ca.crt holds the CAs that peers are trusted by.
//
// # Keys of CS.cfg read here
//
//	service.listen          host:port of the HTTPS listener
//	service.listenPlain     host:port of a plain HTTP listener of the TPS, on loopback only; none
//	service.shutdownTimeout how long running requests may go on when the process is told to stop
//	service.certNickname    server certificate (serverCert)
//	keystore.path, keystore.passphraseFile, tokendb.path, phoneHome.path
//	tokendb.home            sqlite, postgresql (tokendb.postgresql.*) or ldap (internaldb.*)
//	admin.socket            TPS, CA: Unix socket of administration; admin.sock, or none
//	admin.socketMode, admin.socketGroup: 0600, or 0660 and a group
//	admin.listen            host:port of administration over HTTPS; none
//	admin.clientCA          file of CAs that administrators are trusted by; certs/ca.crt
//	admin.users.list, admin.users.<name>.{subject,fingerprint,account,roles}
//	admin.labels            TPS: file of labels of states; token-states.properties
//	publish.listen          CA, OCSP: host:port of a plain HTTP listener for everybody
//	OCSP: ocsp.list, ocsp.<ca>.*, ocsp.validity, ocsp.memory
//	TPS: tps.connector.<id>.*, conn.<id>.tksSharedSymKeyName
//	KRA: tps.list, tps.<n>.{userid,subject,fingerprint}, kra.agents.list,
//	     kra.agents.<name>.{subject,fingerprint}, kra.{transportUnit,storageUnit,auditKey}.nickName,
//	     kra.database.path
//	TKS: tps.list, tps.<n>.{userid,nickname,subject,fingerprint,scp02WithoutCryptogram}
package instance
