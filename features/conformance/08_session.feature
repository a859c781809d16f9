Feature: Rules of secure channel sessions

  @gpcs-10.2.3 @must @negative
  Scenario: SES-01 An aborted channel stays so
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00" in the channel with a wrong MAC
    Then the card refuses it with 6982, tolerated 6988
    And the channel is aborted
    And the channel is aborted
    And nothing has changed

  @gpcs-E.1.6 @must @negative
  Scenario: SES-02 An aborted channel refuses commands that need none
    Applies: keys and cplc
    The text says so; many cards answer all the same.
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00" in the channel with a wrong MAC
    Then the card refuses it with 6982, tolerated 6988
    When the host sends "80CA9F7F00"
    Then the card refuses it with 6982, tolerated 6985 or 6988 or 9000
    And nothing has changed

  @gpcs-10.2.3 @must
  Scenario: SES-03 A selection ends an aborted channel
    Applies: keys and cplc
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00" in the channel with a wrong MAC
    And the host sends "00A40400 [{isd}] 00"
    And the host sends "80CA9F7F00"
    Then the card answers 9000

  @gpcs-10.2.3 @must @negative
  Scenario: SES-04 A reset ends a channel
    Applies: keys
    Given a secure channel at level "01"
    When the card is reset
    Then the channel is gone
    And nothing has changed

  @gpcs-E.1.6 @must @negative
  Scenario: SES-07 A command protected less than the level asks is refused
    Applies: keys
    Given a secure channel at level "03"
    When the host sends "80F28002 02 4F00 00" in the channel as at level "01"
    Then the card refuses it with 6982, tolerated 6988
    And the channel is aborted
    And nothing has changed

  @gpcs-E.1.6 @policy @negative
  Scenario: SES-08 A command protected more than the level asks is not understood
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00" in the channel as at level "03"
    Then the card refuses it
    And nothing has changed

  @gpcs-11 @must @negative
  Scenario: SES-09 Content management needs a channel
    Applies: life < 127
    When the host sends "80F28002 02 4F00 00"
    Then the card refuses it with 6982
    When the host sends "80E60200 [[{unknown}] 00 00 00 00] 00"
    Then the card refuses it with 6982
    When the host sends "80E80000 [C40100] 00"
    Then the card refuses it with 6982
    When the host sends "80E40000 [4F [{unknown}]] 00"
    Then the card refuses it with 6982
    When the host sends "80D80081 [71 8010 {random 16} 00] 00"
    Then the card refuses it with 6982
    When the host sends "80F04080 [{unknown}]"
    Then the card refuses it with 6982
    When the host sends "80E29000 [4201AA]"
    Then the card refuses it with 6982
    And nothing has changed

  @gpcs-7.3.1 @beyond @content
  Scenario: SES-11 An applet's channel is that of its security domain
    Applies: keys and coolkey
    Given the applet is on the card
    And the applet is selected
    When the host asks for a handshake
    Then the card's cryptogram is right
    When the host authenticates at level "01"
    Then the card answers 9000
