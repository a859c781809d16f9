Feature: SET STATUS and life cycles

  @gpcs-11.10.2.2 @must @irreversible
  Scenario: LCY-01 A card becomes INITIALIZED
    Applies: keys and life == 1
    Given a secure channel at level "01"
    When the host sends "80F0800700" in the channel
    Then the card answers 9000
    And the registry lists "{isd}" in state "07"

  @gpcs-5.1.1.2 @must @negative @irreversible
  Scenario: LCY-02 An INITIALIZED card does not become OP_READY again
    Applies: keys and life <= 7
    Given the card is in life cycle state "07"
    And a secure channel at level "01"
    When the host sends "80F0800100" in the channel
    Then the card refuses it with 6985, tolerated 6A80
    And the registry lists "{isd}" in state "07"

  @gpcs-5.1.1.3 @must @irreversible
  Scenario: LCY-03 An INITIALIZED card becomes SECURED
    Applies: keys and life <= 7
    Given the card is in life cycle state "07"
    And a secure channel at level "01"
    When the host sends "80F0800F00" in the channel
    Then the card answers 9000
    And the registry lists "{isd}" in state "0F"

  @gpcs-5.1.2 @policy @irreversible
  Scenario: LCY-04 A card may skip INITIALIZED
    Applies: keys and life == 1
    Given a secure channel at level "01"
    When the host sends "80F0800F00" in the channel
    Then the card answers 9000, tolerated 6985 or 6A80

  @gpcs-5.1.1.4 @must @irreversible
  Scenario: LCY-05 A SECURED card can be locked
    Applies: keys and life <= 15
    Given the card is in life cycle state "0F"
    And a secure channel at level "01"
    When the host sends "80F0807F00" in the channel
    Then the card answers 9000
    And the registry lists "{isd}" in state "7F"

  @gpcs-9.6.3 @must @negative @irreversible
  Scenario: LCY-06 A card that is not SECURED cannot be locked
    Applies: keys and life <= 7
    Given the card is in life cycle state "07"
    And a secure channel at level "01"
    When the host sends "80F0807F00" in the channel
    Then the card refuses it with 6985, tolerated 6A80
    And the registry lists "{isd}" in state "07"

  @gpcs-6.4.2.1.2 @must @negative @irreversible
  Scenario: LCY-07 A locked card selects no application
    Applies: keys and load and life <= 15
    Given the applet is on the card
    And the card is in life cycle state "7F"
    When the host sends "00A40400 [{module}] 00"
    Then the card refuses it with 6A82, tolerated 6A81
    And the issuer security domain is still selected

  @gpcs-11.9.3.2 @must @irreversible
  Scenario: LCY-08 A locked card says so when its security domain is selected
    Applies: keys and life <= 15
    Given the card is in life cycle state "7F"
    When the host sends "00A40400 [{isd}] 00"
    Then the card answers 6283
    And the answer holds "6F/84" equal to "{isd}"

  @gpcs-9.6.3 @must @negative @irreversible
  Scenario: LCY-09 A locked card refuses content management
    Applies: keys and load and life <= 15
    Given the applet is on the card
    And the card is in life cycle state "7F"
    And a secure channel at level "01"
    When the host sends "80E60200 [[{unknown}] 00 00 00 00] 00" in the channel
    Then the card refuses it with 6985, tolerated 6982 or 6A81
    When the host sends "80E80000 [C40100] 00" in the channel
    Then the card refuses it with 6985, tolerated 6982 or 6A81
    When the host sends "80E40000 [4F [{module}]] 00" in the channel
    Then the card refuses it with 6985, tolerated 6982 or 6A81
    When the host sends "80E29000 [4201AA]" in the channel
    Then the card refuses it with 6985, tolerated 6982 or 6A81
    When the host puts test keys
    Then the card refuses it with 6985, tolerated 6982 or 6A81
    And the registry lists "{module}" in state "07"
    And key version "71" is gone

  @gpcs-6.4.2.2 @conditional @negative @irreversible
  Scenario: LCY-10 A locked card opens no logical channel
    Applies: keys and channels > 0 and life <= 15
    Given the card is in life cycle state "7F"
    And a secure channel at level "01"
    When the host sends "0070000001" in the channel
    Then the card refuses it with 6A81
    And the channel still works

  @gpcs-9.6.3 @must @irreversible
  Scenario: LCY-11 A locked card can be unlocked
    Applies: keys and load and life <= 15
    Given the applet is on the card
    And the card is in life cycle state "7F"
    And a secure channel at level "01"
    When the host sends "80F0800F00" in the channel
    Then the card answers 9000
    And the registry lists "{isd}" in state "0F"
    When the host sends "00A40400 [{module}]"
    Then the card answers 9000

  @gpcs-9.6.4 @must @irreversible
  Scenario: LCY-12 A card can be terminated
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80F080FF00" in the channel
    Then the card answers 9000

  @gpcs-5.1.1.5 @must @negative @irreversible
  Scenario: LCY-13 A terminated card answers GET DATA alone, after a reset too
    Applies: keys and cplc
    Given a secure channel at level "01"
    When the host sends "80F080FF00" in the channel
    And the host sends "00A40400 [{isd}] 00"
    Then the card refuses it
    When the host sends "80500000 [{random 8}] 00"
    Then the card refuses it
    When the host sends "80F28002 02 4F00 00"
    Then the card refuses it
    When the card is reset
    And the host sends "80500000 [{random 8}] 00"
    Then the card refuses it
    And the issuer security domain is still selected

  @gpcs-5.1.1.5 @must @irreversible
  Scenario: GDA-23 A terminated card answers GET DATA
    Applies: keys and recognition
    Given a secure channel at level "01"
    When the host sends "80F080FF00" in the channel
    And the card is reset
    And the host sends "80CA006600"
    Then the card answers 9000

  @gpcs-5.1.1.5 @must @negative @irreversible
  Scenario: INU-18 A terminated card begins no session
    Applies: keys and cplc
    Given a secure channel at level "01"
    When the host sends "80F080FF00" in the channel
    And the card is reset
    And the host sends "80500000 [{random 8}] 00"
    Then the card refuses it
    And the issuer security domain is still selected

  @gpcs-11.10.2.2 @must @content
  Scenario: LCY-14 An application can be locked
    Applies: keys and load
    Given the applet is on the card
    And a secure channel at level "01"
    When the host sends "80F04080 [{module}]" in the channel
    Then the card answers 9000
    And the registry lists "{module}" in state "87"

  @gpcs-9.6.2 @must @content
  Scenario: LCY-15 An application that is unlocked has the state that it had
    Applies: keys and coolkey
    Given the applet is on the card
    And the applet is in its own state "1F"
    And a secure channel at level "01"
    When the host sends "80F04080 [{module}]" in the channel
    Then the card answers 9000
    And the registry lists "{module}" in state "9F"
    Given a secure channel at level "01"
    When the host sends "80F04000 [{module}]" in the channel
    Then the card answers 9000
    And the registry lists "{module}" in state "1F"

  @gpcs-11.10.2.2 @must @negative @content
  Scenario: LCY-16 A change to the same state is refused
    Applies: keys and load
    Given the applet is on the card
    And a secure channel at level "01"
    When the host sends "80F04007 [{module}]" in the channel
    Then the card refuses it with 6985, tolerated 6A80
    And the registry lists "{module}" in state "07"
    Given a secure channel at level "01"
    When the host sends "80F04080 [{module}]" in the channel
    And the host sends "80F04080 [{module}]" in the channel
    Then the card refuses it with 6985, tolerated 6A80
    And the registry lists "{module}" in state "87"

  @gpcs-11.10.3.2 @must @negative
  Scenario: LCY-17 An unknown application has no state to change
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80F04080 [{unknown}]" in the channel
    Then the card refuses it with 6A88
    And nothing has changed

  @gpcs-11.10.2.3 @must @irreversible
  Scenario: LCY-18 The AID is ignored where the card itself is meant
    Applies: keys and life == 1
    Given a secure channel at level "01"
    When the host sends "80F08007 [{unknown}]" in the channel
    Then the card answers 9000
    And the registry lists "{isd}" in state "07"

  @gpcs-11.10.2.1 @conditional @irreversible
  Scenario: LCY-19 A security domain is locked with its applications
    Applies: keys and domains
    Given a secure channel at level "01"
    When the host sends "80F06080 [{isd}]" in the channel
    Then the card answers 9000

  @gpcs-9.6.2 @must @negative @irreversible
  Scenario: LCY-21 The final application cannot be locked
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80F04080 [{isd}]" in the channel
    Then the card refuses it with 6985, tolerated any error
    And the registry lists "{isd}" in the state of before

  @gpcs-6.4.2.1.2 @must @negative @content
  Scenario: SEL-08 An application that was not made selectable is not selected
    Applies: keys and load
    Given instance "1" of the applet is installed, and not selectable
    When the host sends "00A40400 [{instance 1}] 00"
    Then the card refuses it with 6A82
    And the issuer security domain is still selected

  @gpcs-9.6.2 @must @negative @content
  Scenario: SEL-09 A locked application is not selected
    Applies: keys and load
    Given the applet is on the card
    And a secure channel at level "01"
    When the host sends "80F04080 [{module}]" in the channel
    And the host sends "00A40400 [{isd}] 00"
    And the host sends "00A40400 [{module}] 00"
    Then the card refuses it with 6A82
    And the issuer security domain is still selected

  @gpcs-6.4.2.1.2 @must @content
  Scenario: SEL-06 The next occurrence selects each application once
    Applies: keys and load
    Given instance "1" of the applet is on the card
    And instance "2" of the applet is on the card
    When the host sends "00A40400 05 F063617264 00"
    Then the card answers 9000
    When the host sends "00A40402 05 F063617264 00"
    Then the card answers 9000
    When the host sends "00A40402 05 F063617264 00"
    Then the card refuses it with 6A82, tolerated 6A88
