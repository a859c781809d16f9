@alone
Feature: Policies of tokens
  What may be done with a token besides the usual, its policy says: whether it may be enrolled again, renewed,
  formatted on the way, or have its PIN set anew. Agents state it for one token; for what a token's record does
  not state, the organisation's default holds.

  Background:
    Given a token management system with the usual users

  Scenario: A token whose record states nothing follows the default
    Given a token that is recorded as FORMATTED
    When the operator types: tms token show TOKEN
    Then the command shows lines with
      | policy   |                                                                                                           |
      | in force | RE_ENROLL=YES;RENEW=NO;FORCE_FORMAT=NO;PIN_RESET=NO;RESET_PIN_RESET_TO_NO=NO;RENEW_KEEP_OLD_ENC_CERTS=YES |

  Scenario: The default is the organisation's to choose
    Given the configuration says
      | tokendb.defaultPolicy | RENEW=YES;PIN_RESET=true;RE_ENROLL=no |
    And a token that is recorded as FORMATTED
    When the operator types: tms token show TOKEN
    Then the command shows lines with
      | in force | RE_ENROLL=NO;RENEW=YES;FORCE_FORMAT=NO;PIN_RESET=YES;RESET_PIN_RESET_TO_NO=NO;RENEW_KEEP_OLD_ENC_CERTS=YES |

  Scenario: What a token's own policy states counts more than the default
    Given the configuration says
      | tokendb.defaultPolicy | RENEW=YES;PIN_RESET=YES |
    And a token that is recorded as FORMATTED
    When the operator types: tms token set-policy TOKEN PIN_RESET=NO FORCE_FORMAT=yes --reason "as agreed"
    Then the command shows lines with
      | policy   | FORCE_FORMAT=YES;PIN_RESET=NO           |
      | in force | RENEW=YES;FORCE_FORMAT=YES;PIN_RESET=NO |
    When the operator types: tms token set-policy TOKEN RE_ENROLL=NO --replace --reason "as agreed"
    Then the command shows lines with
      | policy   | RE_ENROLL=NO                                         |
      | in force | RE_ENROLL=NO;RENEW=YES;FORCE_FORMAT=NO;PIN_RESET=YES |

  Scenario Outline: Enrolling a token again
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator types: tms token set-policy TOKEN RE_ENROLL=<says> --reason "as agreed"
    And "alice" enrolls the card
    Then <outcome>

    Examples:
      | says | outcome                          |
      | YES  | the keys are others than before  |
      | NO   | the operation fails with code 26 |

  Scenario Outline: Renewing a token
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator types: tms token set-policy TOKEN RENEW=<says> --reason "as agreed"
    And "alice" enrolls the card
    Then the operation succeeds
    And <outcome>
    And the activity log of the token holds <renewals> successful "renewal" entries

    Examples:
      | says | outcome                                                        | renewals |
      | YES  | the new certificates are for the keys that the card had before | 1        |
      | NO   | the keys are others than before                                | 0        |

  Scenario Outline: Formatting on the way
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator types: tms token set-policy TOKEN FORCE_FORMAT=<says> --reason "as agreed"
    And what the card is sent is watched from now on
    And "alice" enrolls the card
    Then the operation succeeds
    And the applet was <outcome>
    And the token is ACTIVE and belongs to "alice"

    Examples:
      | says | outcome     |
      | YES  | loaded anew |
      | NO   | left alone  |

  Scenario: Setting the PIN anew, once, and until further notice
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When "alice" sets the PIN to "11223344"
    Then the operation fails with code 27
    When the operator types: tms token set-policy TOKEN PIN_RESET=YES RESET_PIN_RESET_TO_NO=YES --reason "forgot it"
    And "alice" sets the PIN to "11223344"
    Then the operation succeeds
    And the card accepts the PIN "11223344"
    When "alice" sets the PIN to "55667788"
    Then the operation fails with code 27
    When the operator types: tms token set-policy TOKEN PIN_RESET=YES RESET_PIN_RESET_TO_NO=NO --reason "forgets it"
    And "alice" sets the PIN to "55667788"
    And "alice" sets the PIN to "99887766"
    Then the operation succeeds
    And the card accepts the PIN "99887766"

  Scenario Outline: Keeping encryption certificates that were renewed
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator types: tms token set-policy TOKEN RENEW=YES RENEW_KEEP_OLD_ENC_CERTS=<says> --reason "as agreed"
    And "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "<held>"

    Examples:
      | says | held                            |
      | YES  | signing, encryption, encryption |
      | NO   | signing, encryption             |

  Scenario: Policies that are none
    Given a token that is recorded as FORMATTED
    When the operator types: tms token set-policy TOKEN DANCE=YES --reason "as agreed"
    Then the command ends with exit code 2
    And the command says "DANCE"
    When the operator types: tms token set-policy TOKEN RENEW=perhaps --reason "as agreed"
    Then the command ends with exit code 2
    When the operator types: tms token set-policy TOKEN RENEW=YES RENEW=NO --reason "as agreed"
    Then the command ends with exit code 2

  Scenario Outline: A default that is none stops the start
    Given the configuration says
      | tokendb.defaultPolicy | <policy> |
    Then the system does not start, and says "tokendb.defaultPolicy"

    Examples:
      | policy             |
      | DANCE=YES          |
      | RENEW              |
      | RENEW=YES;RENEW=NO |
