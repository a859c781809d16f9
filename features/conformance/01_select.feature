Feature: SELECT and its answer

  @iso7816-5.1 @must
  Scenario: PRE-01 Every reset has the same answer
    Given the card was reset
    Then the answer to reset is that of the start

  @gpcs-6.4.2.1.1 @must
  Scenario: SEL-01 The issuer security domain is selected after a reset
    Applies: recognition and life < 127
    Given the card was reset
    When the host sends "80CA006600"
    Then the card answers 9000

  @gpcs-6.4.2.1.2 @must
  Scenario: SEL-02 SELECT without an AID selects the issuer security domain
    When the host sends "00A4040000"
    Then the card answers 9000
    And the answer holds "6F/84" equal to "{isd}"
    And the issuer security domain is still selected

  @gpcs-H.1.3 @conditional
  Scenario: SEL-03 SELECT by its AID selects the issuer security domain
    When the host sends "00A40400 [{isd}] 00"
    Then the card answers 9000
    And the answer holds "6F/84" equal to "{isd}"

  @gpcs-11.9.3.1 @must
  Scenario: SEL-04 The answer to SELECT is a template with AID and longest command
    When the host sends "00A4040000"
    Then the card answers 9000
    And the answer holds "6F/84"
    And the answer holds "6F/A5"
    And the answer holds "6F/A5/9F65"

  @gpcs-6.4.2.1 @must
  Scenario: SEL-05 A part of an AID selects the first application that it fits
    When the host sends "00A40400 [{rid}] 00"
    Then the card answers 9000
    And the answer holds "6F/84" equal to "{isd}"

  @gpcs-6.4.2.1.2 @must @negative
  Scenario: SEL-07 SELECT of an unknown AID leaves the selection as it was
    When the host sends "00A40400 [{unknown}] 00"
    Then the card refuses it with 6A82
    And the issuer security domain is still selected
    And nothing has changed

  @gpcs-10.2.3 @must @negative
  Scenario: SEL-10 SELECT ends a secure channel
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "00A40400 [{isd}] 00"
    And the host sends "80F28002 02 4F00 00" in the channel
    Then the card refuses it with 6982, tolerated 6985 or 6E00
    And nothing has changed

  @gpcs-11.9.1 @policy @negative
  Scenario: SEL-11 SELECT by file identifier is refused
    When the host sends "00A4000002 3F00 00"
    Then the card refuses it with 6A86, tolerated 6A81 or 6A82 or 6D00
    And the issuer security domain is still selected

  @gpcs-11.9.3.2 @policy @negative
  Scenario: SEL-12 SELECT takes no secure messaging
    When the host sends "04A40400 [{isd}] 00"
    Then the card refuses it with 6882, tolerated 6E00
    And the issuer security domain is still selected

  @gpcs-11.9.2.3 @policy @negative
  Scenario: SEL-13 An AID of 17 bytes is refused
    When the host sends "00A40400 [{isd} {zero 9}] 00"
    Then the card refuses it with 6A80, tolerated 6700 or 6A82
    And the issuer security domain is still selected
