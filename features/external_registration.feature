@alone
Feature: Tokens that are registered in the users' directory
  Where registration is external, a user's LDAP record says what token the user gets: the TPS profile, the
  card, the operation, and the certificates and keys that are to be kept on the card or brought to it. That
  overrides the enrollment, revocation and recovery policies of internal registration. The names of the
  record's attributes are configurable. As the record does not know which card will be there, the key set is
  decided before anybody logs in.

  Background:
    Given a token management system with the usual users

  Scenario: The record names the TPS profile
    Given tokens are registered in the embedded directory
    And the directory says of "alice"
      | tokenType | externalRegISEtoken |
    And a blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token is ACTIVE and belongs to "alice"
    And the token's type is "externalRegISEtoken"
    And the token holds certificates for "signing, authentication, encryption"
    And the key of every "encryption" certificate is archived for "alice"
    And no intent is left open for the token

  @slapd
  Scenario: The record of a real directory server names the TPS profile
    Given tokens are registered in OpenLDAP
    And the directory says of "alice"
      | tokenType        | externalRegISEtoken |
      | registrationtype | enroll              |
    And a blank card of stock "sce7-scp03"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token's type is "externalRegISEtoken"
    And the token holds certificates for "signing, authentication, encryption"

  Scenario: A record that names no TPS profile means the configured one
    Given tokens are registered in the embedded directory
    And a blank card of stock "gp211-scp02"
    When "bob" enrolls the card
    Then the operation succeeds
    And the token is ACTIVE and belongs to "bob"
    And the token's type is "externalRegAddToToken"
    And the token holds no certificates

  Scenario: A record that names a profile that is not there
    Given tokens are registered in the embedded directory
    And the directory says of "alice"
      | tokenType | noSuchType |
    And a FORMATTED token of stock "gp211-scp02" made by "bob"
    When "alice" enrolls the card
    Then the operation fails with code 23
    And nothing on the card has changed

  Scenario: A record that names the card
    Given tokens are registered in the embedded directory
    And a FORMATTED token of stock "gp211-scp02" made by "bob"
    And the directory says of "alice"
      | tokenCUID | 40906145000000000001 |
    When "alice" enrolls the card
    Then the operation fails with code 43
    And nothing on the card has changed
    When the directory says of "alice"
      | tokenCUID | {card} |
    And "alice" enrolls the card
    Then the operation succeeds
    When the directory says of "alice"
      | tokenCUID | 40906145000000000001 |
    And "alice" sets the PIN to "97531"
    Then the operation fails with code 43
    And nothing on the card has changed

  Scenario Outline: A record that names the operation
    Given tokens are registered in the embedded directory
    And a FORMATTED token of stock "gp211-scp02" made by "bob"
    And the directory says of "alice"
      | registrationtype | pinReset |
    When "alice" enrolls the card
    Then the operation fails with code 26
    And nothing on the card has changed
    When the directory says of "alice"
      | registrationtype | enroll |
    And "alice" enrolls the card
    Then the operation succeeds
    When "alice" sets the PIN to "97531"
    Then the operation fails with code 27
    When the directory says of "alice"
      | registrationtype | <pinReset> |
    And "alice" sets the PIN to "97531"
    Then the operation succeeds
    And the card accepts the PIN "97531"

    Examples:
      | pinReset |
      | pinReset |
      | PINRESET |

  @slapd
  Scenario: The names of the attributes are configurable
    Given the configuration says
      | auths.instance.ldap1.externalReg.cuidAttributeName      | badge     |
      | auths.instance.ldap1.externalReg.tokenTypeAttributeName | badgeType |
    And tokens are registered in OpenLDAP
    And a blank card of stock "gp211-scp02"
    And the directory says of "alice"
      | badge | 40906145000000000001 |
    When "alice" enrolls the card
    Then the operation fails with code 43
    When the directory says of "alice"
      | tokenCUID | 40906145000000000001 |
      | tokenType | noSuchType           |
    And "alice" enrolls the card
    Then the operation succeeds
    And the token's type is "externalRegAddToToken"

  Scenario: The key set is decided before anybody logs in
    Given tokens are registered in the embedded directory
    And the configuration says
      | mappingResolver.keySetMappingResolver.mapping.order | 0 |
    And a blank card of stock "gp211-scp02"
    When "alice" formats the card with the password "a wrong one"
    Then the operation fails with code 22
    And nothing on the card has changed

  Scenario: Policies play no part
    Given tokens are registered in the embedded directory
    And the directory says of "alice"
      | tokenType | externalRegISEtoken |
    And a blank card of stock "gp211-scp02"
    And "alice" enrolls the card
    And the policy of the token says "RE_ENROLL=NO;PIN_RESET=NO;RENEW=YES;FORCE_FORMAT=YES"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, authentication, encryption"
    And all that the token held before is revoked with reason 4
    And the activity log of the token holds 1 successful "format" entry
    When "alice" sets the PIN to "97531"
    Then the operation succeeds
    And the card accepts the PIN "97531"

  Scenario Outline: A person's active tokens
    Given the configuration says
      | tokendb.externalReg.allowMultiActiveTokensUser    | <several> |
      | tokendb.nonExternalReg.allowMultiActiveTokensUser | <others>  |
    And tokens are registered in the embedded directory
    And a blank card of stock "gp211-scp02"
    And "alice" enrolls the card
    And a second blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation <ends>

    Examples:
      | several | others | ends               |
      | false   | true   | fails with code 34 |
      | true    | false  | succeeds           |

  Scenario Outline: A record that can't be read changes nothing
    Given tokens are registered in the embedded directory
    And a FORMATTED token of stock "gp211-scp02" made by "bob"
    And the directory says of "alice"
      | <attribute> | <value> |
    When "alice" enrolls the card
    Then the operation fails with code <code>
    And nothing on the card has changed

    Examples:
      | attribute        | value                         | code |
      | certsToAdd       | 17                            | 18   |
      | certsToAdd       | 17,ca1,3                      | 18   |
      | certsToAdd       | seventeen,ca1                 | 18   |
      | certsToAdd       | 17,ca9                        | 18   |
      | certsToAdd       | 17,ca1                        | 37   |
      | tokenCUID        | somewhere                     | 18   |
      | registrationtype | whatever                      | 18   |

  Scenario: Formatting needs no login where the configuration says so
    Given the configuration says
      | externalReg.format.loginRequest.enable            | false |
      | op.format.externalRegAddToToken.auth.enable       | true  |
    And tokens are registered in the embedded directory
    And a blank card of stock "gp211-scp02"
    When nobody logs in and the card is formatted as token type "userKey"
    Then the operation succeeds
    And the token is FORMATTED and belongs to nobody
    And the token's type is "externalRegAddToToken"

  Scenario Outline: The key of a token that is out of use is brought to another, and opens what was sealed
    Given tokens are registered in the embedded directory
    And the directory says of "alice"
      | tokenType | externalRegISEtoken |
    And a blank card of stock "gp211-scp02"
    And "alice" enrolls the card
    And the "encryption" certificate is known as "old mail"
    And an agent reports the token as DAMAGED
    And another blank card of stock "<stock>"
    When the directory says of "alice"
      | certsToAdd | {old mail},ca1,0,kra1 |
    And "alice" enrolls the card
    Then the operation succeeds
    And the token's type is "externalRegAddToToken"
    And the token holds "old mail"
    And "old mail" is valid
    And the record of "old mail" on the token says active

    Examples:
      | stock        |
      | gp211-scp01  |
      | gp211-scp02  |
      | sce6-scp03   |
      | sce7-scp03   |

  Scenario: Keys by their number, which has to be that of the certificate
    Given the configuration says
      | externalReg.recover.byKeyID | true |
    And tokens are registered in the embedded directory
    And the directory says of "alice"
      | tokenType | externalRegISEtoken |
    And a blank card of stock "gp211-scp02"
    And "alice" enrolls the card
    And the "encryption" certificate is known as "old mail"
    And an agent reports the token as DAMAGED
    And another FORMATTED token of stock "gp211-scp02" made by "bob"
    When the directory says of "alice"
      | certsToAdd | {old mail},ca1,999999,kra1 |
    And "alice" enrolls the card
    Then the operation fails with code 37
    And nothing on the card has changed
    When the directory says of "alice"
      | certsToAdd | {old mail},ca1,{key of old mail},kra1 |
    And "alice" enrolls the card
    Then the operation succeeds
    And the token holds "old mail"

  Scenario: Another person's key is not brought
    Given tokens are registered in the embedded directory
    And the directory says of "alice"
      | tokenType | externalRegISEtoken |
    And a blank card of stock "gp211-scp02"
    And "alice" enrolls the card
    And the "encryption" certificate is known as "alice's mail"
    And another FORMATTED token of stock "gp211-scp02" made by "bob"
    When the directory says of "bob"
      | certsToAdd | {alice's mail},ca1,0,kra1 |
    And "bob" enrolls the card
    Then the operation fails with code 37
    And nothing on the card has changed
    And "alice's mail" is valid

  Scenario: What is registered to be kept is kept, and the rest removed and revoked
    Given tokens are registered in the embedded directory
    And the directory says of "alice"
      | tokenType | externalRegISEtoken |
    And a blank card of stock "gp211-scp02"
    And "alice" enrolls the card
    And the "signing" certificate is known as "signature"
    And the "encryption" certificate is known as "mail"
    And the "authentication" certificate is known as "badge"
    When the directory says of "alice"
      | certsToAdd | {signature},ca1 |
    And "alice" enrolls the card
    Then the operation succeeds
    And the token holds "signature"
    And "signature" is valid
    And "mail" is revoked for reason 5
    And "badge" is revoked for reason 5
    And the record of "mail" on the token says gone
    And no intent is left open for the token

  Scenario: No new key takes the place of one that is registered
    Given tokens are registered in the embedded directory
    And the directory says of "alice"
      | tokenType | externalRegISEtoken |
    And a blank card of stock "gp211-scp02"
    And "alice" enrolls the card
    And the "signing" certificate is known as "signature"
    And the "encryption" certificate is known as "mail"
    When the directory says of "alice"
      | tokenType  | externalRegISEtoken |
      | certsToAdd | {mail},ca1          |
    And "alice" enrolls the card
    Then the operation succeeds
    And the token holds "mail, a new signing, a new authentication"
    And "mail" is valid
    And "signature" is revoked for reason 4

  Scenario: A record that names no certificates leaves the card's as they are
    Given tokens are registered in the embedded directory
    And the directory says of "alice"
      | tokenType | externalRegISEtoken |
    And a blank card of stock "gp211-scp02"
    And "alice" enrolls the card
    And the "signing" certificate is known as "signature"
    And the "encryption" certificate is known as "mail"
    And the "authentication" certificate is known as "badge"
    When the directory says of "alice"
      | tokenType |  |
    And "alice" enrolls the card
    Then the operation succeeds
    And the token holds "signature, mail, badge"

  Scenario: New keys beside one that is brought, which stays when it is brought already
    Given tokens are registered in the embedded directory
    And the directory says of "alice"
      | tokenType | externalRegISEtoken |
    And a blank card of stock "gp211-scp02"
    And "alice" enrolls the card
    And the "encryption" certificate is known as "old mail"
    And an agent reports the token as DAMAGED
    And another blank card of stock "gp211-scp02"
    When the directory says of "alice"
      | tokenType  | externalRegISEtoken   |
      | certsToAdd | {old mail},ca1,0,kra1 |
    And "alice" enrolls the card
    Then the operation succeeds
    And the token holds "old mail, a new signing, a new authentication, a new encryption"
    When the key recovery authority is out of reach
    And the directory says of "alice"
      | certsToAdd | {old mail},ca1,0,kra1 |
    And "alice" enrolls the card
    Then the operation succeeds
    And the token holds "old mail"
    When the key recovery authority answers again

  Scenario Outline: A certificate that is no good any more
    Given the configuration says
      | externalReg.allowRecoverInvalidCert.enable | <allowed> |
    And tokens are registered in the embedded directory
    And the directory says of "alice"
      | tokenType | externalRegISEtoken |
    And a blank card of stock "gp211-scp02"
    And "alice" enrolls the card
    And the "encryption" certificate is known as "old mail"
    And an agent reports the token as DAMAGED
    And the operator revokes "old mail" at its certificate authority
    And another blank card of stock "gp211-scp02"
    When the directory says of "alice"
      | certsToAdd | {old mail},ca1,0,kra1 |
    And "alice" enrolls the card
    Then the operation <ends>
    And "old mail" is revoked for reason 4

    Examples:
      | allowed | ends               |
      | true    | succeeds           |
      | false   | fails with code 37 |

  Scenario: A card has room for so many
    Given the configuration says
      | op.enroll.externalRegISEtoken.keyGen.keyType.num     | 1          |
      | op.enroll.externalRegISEtoken.keyGen.keyType.value.0 | encryption |
    And tokens are registered in the embedded directory
    And the directory says of "alice"
      | tokenType | externalRegISEtoken |
    And a blank card of stock "gp211-scp02"
    And "alice" enrolls the card
    And the "encryption" certificate is known as "1"
    And "alice" gets 8 more encryption keys on the card, known as 2 to 9
    And an agent reports the token as DAMAGED
    And another FORMATTED token of stock "gp211-scp02" made by "bob"
    When the directory says of "alice"
      | certsToAdd | {1},ca1,0,kra1 |
      | certsToAdd | {2},ca1,0,kra1 |
      | certsToAdd | {3},ca1,0,kra1 |
      | certsToAdd | {4},ca1,0,kra1 |
      | certsToAdd | {5},ca1,0,kra1 |
      | certsToAdd | {6},ca1,0,kra1 |
      | certsToAdd | {7},ca1,0,kra1 |
      | certsToAdd | {8},ca1,0,kra1 |
      | certsToAdd | {9},ca1,0,kra1 |
    And "alice" enrolls the card
    Then the operation fails with code 37
    When the directory says of "alice"
      | certsToAdd | {1},ca1,0,kra1 |
      | certsToAdd | {2},ca1,0,kra1 |
      | certsToAdd | {3},ca1,0,kra1 |
      | certsToAdd | {4},ca1,0,kra1 |
      | certsToAdd | {5},ca1,0,kra1 |
      | certsToAdd | {6},ca1,0,kra1 |
      | certsToAdd | {7},ca1,0,kra1 |
      | certsToAdd | {8},ca1,0,kra1 |
    And "alice" enrolls the card
    Then the operation succeeds
    And the token holds "1, 2, 3, 4, 5, 6, 7, 8"
    And no intent is left open for the token

  Scenario Outline: A card that is pulled while a key is brought
    Given tokens are registered in the embedded directory
    And the directory says of "alice"
      | tokenType | externalRegISEtoken |
    And a blank card of stock "gp211-scp02"
    And "alice" enrolls the card
    And the "encryption" certificate is known as "old mail"
    And an agent reports the token as DAMAGED
    And another FORMATTED token of stock "gp211-scp02" made by "bob"
    And the directory says of "alice"
      | certsToAdd | {old mail},ca1,0,kra1 |
    When "alice" enrolls the card and pulls it after <n> commands
    Then the operation fails
    And "old mail" is valid
    When the card is put back
    And "alice" enrolls the card
    Then the operation succeeds
    And the token holds "old mail"
    And "old mail" is valid
    And no intent is left open for the token

    Examples:
      | n  |
      | 14 |
      | 18 |
      | 22 |
      | 26 |
