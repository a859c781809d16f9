@alone
Feature: Comparing tokens, certificates and keys
  The token database, the certificate authorities and the key recovery authority each have a story of the
  same tokens. An operator runs "tms reconcile" to see every difference between them, and with --repair to
  have it mended. A program learns from the exit code whether something is left.

  Background:
    Given a token management system with the certificate authorities ca0, ca1 and ca2

  Scenario: All tell the same story
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.ca.conn | ca2 |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator runs "tms reconcile --grace 0"
    Then it ends with exit code 0
    And it finds no difference
    When an agent reports the token as SUSPENDED
    And the operator runs "tms reconcile --grace 0"
    Then it ends with exit code 0
    And it finds no difference

  Scenario Outline: Somebody changed a certificate at the CA by hand
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the operator <does> the "signing" certificate at "ca1" by hand
    When the operator runs "tms reconcile --grace 0"
    Then it ends with exit code 1
    And it finds the differences
      | kind   | authority | record | found   | mendable | mended |
      | status | ca1       | active | <found> | true     | false  |
    When the operator runs "tms reconcile --grace 0 --repair"
    Then it ends with exit code 0
    And it finds the differences
      | kind   | authority | record | found   | mended |
      | status | ca1       | active | <found> | true   |
    And the "signing" certificate is <word> at "ca1"
    And the activity log of the token holds 1 successful "token_modify" entry
    When the operator runs "tms reconcile --grace 0"
    Then it ends with exit code 0

    Examples:
      | does    | found                               | word    |
      | revokes | revoked for unspecified             | revoked |
      | holds   | revoked_on_hold for certificateHold | on hold |

  Scenario: A CA that forgot a revocation is told again
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the record of the "signing" certificate says revoked
    When the operator runs "tms reconcile --grace 0 --repair"
    Then it ends with exit code 0
    And it finds the differences
      | kind   | authority | record  | found | mended |
      | status | ca1       | revoked | valid | true   |
    And the "signing" certificate is revoked at "ca1"

  Scenario: A certificate that is good at its CA and on no record
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the record of the "signing" certificate is lost
    When the operator runs "tms reconcile --grace 0"
    Then it ends with exit code 1
    And it finds the differences
      | kind      | authority | user  | record | found | mendable |
      | no_record | ca1       | alice | none   | valid | true     |
    And the certificate without a record is valid at "ca1"
    When the operator runs "tms reconcile --grace 0 --repair"
    Then it ends with exit code 0
    And the certificate without a record is revoked at "ca1"

  Scenario: A certificate for another database's token is not touched
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And "ca1" has issued a certificate for a token of another database
    When the operator runs "tms reconcile --grace 0 --repair"
    Then it ends with exit code 1
    And it finds the differences
      | kind      | cuid                 | mendable | mended |
      | no_record | 4090FF01000000000000 | false    | false  |
    And the certificate without a record is valid at "ca1"

  Scenario: An encryption certificate whose key is not archived
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.serverKeygen.enable | false |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator runs "tms reconcile --grace 0"
    Then it ends with exit code 0
    When the operator wants encryption keys archived from now on
    And the operator runs "tms reconcile --grace 0 --repair"
    Then it ends with exit code 1
    And it finds the differences
      | kind         | authority | record                        | mended |
      | not_archived | kra1      | to be archived by its token type | false |

  Scenario: An archived key that the record does not name rightly
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the record of the "encryption" certificate names key "4711"
    When the operator runs "tms reconcile --grace 0 --repair"
    Then it ends with exit code 0
    And it finds the differences
      | kind      | authority | key  | mended |
      | other_key | kra1      | 4711 | true   |
    And the record of the "encryption" certificate names the archived key again

  Scenario: An archived key without a certificate
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.ca.profileId | caNoSuchProfile |
    And a FORMATTED token of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation fails with code 10
    When the operator runs "tms reconcile --grace 0"
    Then it ends with exit code 1
    And it finds the differences
      | kind      | authority | user  | found    | mendable |
      | key_alone | kra1      | alice | archived | false    |

  Scenario: A loss that the CA never heard of
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the certificate authority "ca1" is out of reach
    And an agent cannot report the token as PERM_LOST
    When the operator runs "tms reconcile"
    Then it ends with exit code 0
    When the operator runs "tms reconcile --grace 0"
    Then it ends with exit code 1
    And it finds the differences
      | kind        | mendable | mended |
      | open_intent | true     | false  |
      | open_intent | true     | false  |
    When the operator runs "tms reconcile --grace 0 --repair"
    Then it ends with exit code 0
    And the token's state is still PERM_LOST
    And the "signing" certificate is revoked at "ca1" for reason 1
    And the "encryption" certificate is revoked at "ca1" for reason 1
    And no intent is left open for the token

  Scenario: A card that was pulled needs to come back
    Given a FORMATTED token of stock "gp211-scp02"
    When "alice" enrolls the card and pulls it after 24 commands
    Then the operation fails
    And the activity log of the token soon holds 1 failed "enrollment" entry
    When the operator runs "tms reconcile --grace 0 --repair"
    Then it ends with exit code 1
    When the card is put back
    And "alice" enrolls the card
    Then the operation succeeds
    When the operator runs "tms reconcile --grace 0 --repair"
    Then it ends with exit code 0

  Scenario: A CA that nobody is connected to any more
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.ca.conn | ca2 |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the operator takes the connection to "ca2" away
    When the operator runs "tms reconcile --grace 0 --repair"
    Then it ends with exit code 1
    And it finds the differences
      | kind       | authority | mendable |
      | unknown_ca | ca2       | false    |

  Scenario: A CA that does not answer
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.ca.conn | ca2 |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the connection to "ca2" leads to where nobody answers
    When the operator runs "tms reconcile --grace 0"
    Then it ends with exit code 2
    And it says that "ca2" did not answer

  Scenario: Authorities on other machines are asked about what is on record, and looked through by who may
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the record of the "signing" certificate is lost
    When the operator runs "tms reconcile --grace 0" where only the TPS is
    Then it ends with exit code 0
    And it says that it asked "ca1" only about what is on record
    And it says that it asked "kra1" only about what is on record
    When the operator runs "tms reconcile --grace 0" where only the TPS is, asking ca1 and kra1 as "ann"
    Then it ends with exit code 1
    And it finds the differences
      | kind      | authority | user  | record | found | mendable |
      | no_record | ca1       | alice | none   | valid | true     |
    When the operator runs "tms reconcile --grace 0 --repair" where only the TPS is, asking ca1 and kra1 as "ann"
    Then it ends with exit code 0
    And the certificate without a record is revoked at "ca1"

  Scenario: Somebody who may not look through an authority
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator runs "tms reconcile --grace 0" where only the TPS is, asking ca1 and kra1 as "bob"
    Then it ends with exit code 2
