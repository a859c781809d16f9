Feature: INSTALL [for load] and LOAD

  @gpcs-11.5.2.3.1 @must @content
  Scenario: INS-01 A load file is announced for a security domain
    Applies: keys and load
    Given the AIDs of the load file are known
    And a secure channel at level "01"
    When the host sends "80E60200 [[{package}] [{isd}] 00 00 00] 00" in the channel
    Then the card answers 9000
    And the answer is "00"

  @gpcs-9.3.5 @must @content
  Scenario: INS-02 Without a security domain the selected one is meant
    Applies: keys and load
    Given the AIDs of the load file are known
    And a secure channel at level "01"
    When the host sends "80E60200 [[{package}] 00 00 00 00] 00" in the channel
    Then the card answers 9000
    And the answer is "00"

  @gpcs-11.5.2.3.7 @beyond @content
  Scenario: INS-03 The size of the code may be announced
    Applies: keys and load
    Given the AIDs of the load file are known
    And a secure channel at level "01"
    When the host sends "80E60200 [[{package}] 00 00 [EF [C6 [2000]]] 00] 00" in the channel
    Then the card answers 9000

  @gpcs-9.3.5 @must @negative @content
  Scenario: INS-04 A load file is not loaded twice
    Applies: keys and load
    Given the load file is on the card
    And a secure channel at level "01"
    When the host sends "80E60200 [[{package}] 00 00 00 00] 00" in the channel
    Then the card refuses it with 6985, tolerated 6A80 or 6A88
    And the registry lists "{package}" in state "01"

  @gpcs-9.3.5 @must @negative
  Scenario: INS-05 An unknown security domain takes no load file
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80E60200 [[{unknown}] [{unknown}] 00 00 00] 00" in the channel
    Then the card refuses it with 6A88, tolerated 6985 or 6A80
    And the channel still works
    And nothing has changed

  @gpcs-11.5.2.3.1 @must @negative
  Scenario: INS-06 A token is refused where none is called for
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80E60200 [[{unknown}] 00 00 00 [{zero 64}]] 00" in the channel
    Then the card refuses it with 6985, tolerated any error
    And the channel still works
    And nothing has changed

  @gpcs-11.5.3.2 @must @negative
  Scenario: INS-07 Lengths that do not add up are refused
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80E60200 [0A F063617264 00 00 00 00] 00" in the channel
    Then the card refuses it with 6A80, tolerated 6700
    When the host sends "80E60200 [[{unknown}] 00 00 00 FF] 00" in the channel
    Then the card refuses it with 6A80, tolerated 6700
    When the host sends "80E60200 [[{unknown}]] 00" in the channel
    Then the card refuses it with 6A80, tolerated 6700
    And the channel still works
    And nothing has changed

  @gpcs-11.5.2.1 @policy @negative
  Scenario: INS-08 INSTALL needs one purpose
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80E60000 [[{unknown}] 00 00 00 00] 00" in the channel
    Then the card refuses it with 6A86
    When the host sends "80E64200 [[{unknown}] 00 00 00 00] 00" in the channel
    Then the card refuses it with 6A86
    And the channel still works
    And nothing has changed

  @gpcs-11.6 @must @content
  Scenario: LOA-01 A load file that came whole is in the registry
    Applies: keys and load
    Given a secure channel at level "01"
    When the host announces the load file in the channel
    And the host loads the file in blocks of 224 bytes
    Then the card answers 9000
    And the answer is "00"
    And the registry lists "{package}" in state "01"

  @gpcs-11.6.1 @must @negative
  Scenario: LOA-02 LOAD needs INSTALL [for load]
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80E80000 [C40100] 00" in the channel
    Then the card refuses it with 6985, tolerated 6982
    And the channel still works
    And nothing has changed

  @gpcs-11.6.1 @must @negative @content
  Scenario: LOA-03 A block that is skipped ends the load
    Applies: keys and load
    Given the free memory is noted
    And a secure channel at level "01"
    When the host announces the load file in the channel
    And the host sends block 0 of the file as number 0
    And the host sends block 2 of the file as number 2
    Then the card refuses it with 6985, tolerated 6A86 or 6A80
    When the host sends block 1 of the file as number 1
    Then the card refuses it with 6985, tolerated 6982
    And the registry does not list "{package}"
    And the free memory is as it was

  @gpcs-11.6.1 @must @negative @content
  Scenario: LOA-04 A block that comes again ends the load
    Applies: keys and load
    Given the free memory is noted
    And a secure channel at level "01"
    When the host announces the load file in the channel
    And the host sends block 0 of the file as number 0
    And the host sends block 0 of the file as number 0
    Then the card refuses it with 6985, tolerated 6A86 or 6A80
    And the registry does not list "{package}"
    And the free memory is as it was

  @gpcs-11.6.1 @policy @content
  Scenario: LOA-05 Another command between two blocks
    Applies: keys and load
    The text is silent: what the card does is recorded.
    Given a secure channel at level "01"
    When the host announces the load file in the channel
    And the host sends block 0 of the file as number 0
    Then the card answers 9000
    And the channel still works
    When the host sends block 1 of the file as number 1
    Then the card answers 9000, tolerated 6985 or 6982

  @gpcs-C.2 @conditional @negative @content
  Scenario: LOA-06 A load file of another hash is refused
    Applies: keys and load
    Given the free memory is noted
    And a secure channel at level "01"
    When the host announces the load file with a wrong hash in the channel
    Then the card answers 9000
    When the host loads the file in blocks of 224 bytes
    Then the card refuses it with 6A80, tolerated any error
    And the registry does not list "{package}"
    And the free memory is as it was

  @gpcs-9.3.5 @policy @negative @content
  Scenario: LOA-07 A load file that ends early is refused
    Applies: keys and load
    Given the free memory is noted
    And a secure channel at level "01"
    When the host announces the load file in the channel
    And the host sends block 0 of the file as number 0
    And the host sends block 1 of the file as the last one, number 1
    Then the card refuses it with 6A80, tolerated any error
    And the registry does not list "{package}"
    And the free memory is as it was

  @gpcs-11.6.3.2 @must @negative @content
  Scenario: LOA-08 A load file larger than the memory is refused
    Applies: keys and load
    Given the free memory is noted
    And a secure channel at level "01"
    When the host announces the load file in the channel
    And the host sends "80E80000 [C483FFFFF0 {zero 200}] 00" in the channel
    Then the card refuses it with 6A84, tolerated 6581 or 6A80
    And the registry does not list "{package}"
    And the free memory is as it was

  @gpcs-11.6.2.2 @policy @content
  Scenario: LOA-09 More than 256 blocks
    Applies: keys and load
    The number of a block has one byte: what the card does behind FF is recorded.
    Given a secure channel at level "01"
    When the host announces the load file in the channel
    And the host loads the file in blocks of 59 bytes
    Then the card answers 9000, tolerated any error

  @gpcs-11.1.5 @must @content
  Scenario: LOA-10 Blocks of every size are taken
    Applies: keys and load
    Given a secure channel at level "01"
    When the host announces the load file in the channel
    And the host loads the file in blocks of 127 bytes
    Then the card answers 9000
    And the registry lists "{package}" in state "01"

  @gpcs-11.1.5 @must @content
  Scenario: LOA-12 The longest blocks are taken
    Applies: keys and load
    Given a secure channel at level "01"
    When the host announces the load file in the channel
    And the host loads the file in blocks of 247 bytes
    Then the card answers 9000
    And the registry lists "{package}" in state "01"

  @gpcs-11.1.5 @must @content
  Scenario: LOA-13 The longest encrypted blocks are taken
    Applies: keys and load
    Given a secure channel at level "03"
    When the host announces the load file in the channel
    And the host loads the file in blocks of 239 bytes
    Then the card answers 9000
    And the registry lists "{package}" in state "01"

  @gpcs-9.2.1 @conditional @content
  Scenario: LOA-11 A load file with a wrong DAP block is refused
    Applies: keys and load and dap
    Given a secure channel at level "01"
    When the host announces the load file in the channel
    And the host sends "80E80000 [E2 [4F [{isd}] C3 [{zero 128}]]] 00" in the channel
    Then the card refuses it

  @gpcs-9.3.5 @must @negative @content
  Scenario: LOA-14 A selection ends a load
    Applies: keys and load
    Given the free memory is noted
    And a secure channel at level "01"
    When the host announces the load file in the channel
    And the host sends block 0 of the file as number 0
    Then the card answers 9000
    Given a secure channel at level "01"
    When the host sends block 1 of the file as number 1
    Then the card refuses it with 6985, tolerated 6982
    And the registry does not list "{package}"
    And the free memory is as it was

  @gpcs-9.3.5 @must @negative @content
  Scenario: LOA-15 A load file that holds another package than was announced is refused
    Applies: keys and load
    Given the AIDs of the load file are known
    And the free memory is noted
    And a secure channel at level "01"
    When the host sends "80E60200 [[{instance 9}] 00 00 00 00] 00" in the channel
    Then the card answers 9000
    When the host loads the file in blocks of 200 bytes
    Then the card refuses it with 6A80, tolerated any error
    And the registry does not list "{instance 9}"
    And the registry does not list "{package}"
    And the free memory is as it was
