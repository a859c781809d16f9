Feature: Enrolling a delegate
  Some people act for others, or under a name of office, and their certificates say so: subject and
  alternative names are not what the certificate authority makes of the user ID, but what the token type
  makes of the person's directory entry by its patterns. Nobody is certified under half a name.

  Background:
    Given a token management system with the usual users

  Scenario Outline: A delegate's certificates say what the patterns of the token type make of the directory
    Given the configuration says
      | externalReg.delegation.enable                                 | true                                      |
      | op.enroll.mappingResolver                                     | none                                      |
      | auths.instance.ldap1.ldapStringAttributes                     | mail,cn,uid,givenName,sn                  |
      | op.enroll.delegateISEtoken.keyGen.signing.dnpattern           | cn=$auth.givenName$ $auth.sn$,o=The Board |
      | op.enroll.delegateISEtoken.keyGen.signing.SANpattern          | $auth.mail$                               |
      | op.enroll.delegateISEtoken.keyGen.authentication.dnpattern    | cn=$auth.sn$\\, $userid$,o=The Board       |
      | op.enroll.delegateISEtoken.keyGen.authentication.SANpattern   | $userid$@corp.example.org                 |
    And a blank card of stock "<stock>"
    When "bob" enrolls the card as token type "delegateISEtoken"
    Then the operation succeeds
    And the token's type is "delegateISEtoken"
    And the token holds certificates for "signing, authentication"
    And the "signing" certificate is for "CN=Bob Brown,O=The Board"
    And the "signing" certificate has the mail address "bob@example.org"
    And the "signing" certificate allows "digitalSignature, nonRepudiation"
    And the "authentication" certificate is for "CN=Brown\, bob,O=The Board"
    And the "authentication" certificate has the user principal name "bob@corp.example.org"

    Examples:
      | stock        |
      | gp211-scp02  |
      | sce7-scp03   |

  Scenario: The delegate for authentication alone is what the patterns as shipped make of the directory
    Given the configuration says
      | externalReg.delegation.enable | true |
      | op.enroll.mappingResolver     | none |
    And a blank card of stock "gp211-scp02"
    When "alice" enrolls the card as token type "delegateIEtoken"
    Then the operation succeeds
    And the token holds certificates for "authentication"
    And the "authentication" certificate has the user principal name "alice@example.org"
    And the "authentication" certificate is for "UID=alice,OU=Delegates,O=Token Key User"

  Scenario: Nobody is certified under half a name
    Given the configuration says
      | externalReg.delegation.enable                              | true                             |
      | op.enroll.mappingResolver                                  | none                             |
      | op.enroll.delegateIEtoken.keyGen.authentication.dnpattern  | cn=$auth.sn$ $auth.rank$,o=Board |
    And a blank card of stock "gp211-scp02"
    When "alice" enrolls the card as token type "delegateIEtoken"
    Then the operation fails with code 18
    And no certificate of the token is valid

  Scenario: Without delegation the patterns are of no account
    Given the configuration says
      | op.enroll.mappingResolver     | none |
    And a blank card of stock "gp211-scp02"
    When "alice" enrolls the card as token type "delegateIEtoken"
    Then the operation fails with code 10
    And no certificate of the token is valid
