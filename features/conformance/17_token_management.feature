Feature: What token management relies on

  @tms-select @beyond
  Scenario: TMS-01 The card manager is selected without an AID, and by its own
    When the host sends "00A4040000"
    Then the card answers 9000
    And the answer holds "6F/84" equal to "{isd}"
    When the host sends "00A40400 [{isd}] 00"
    Then the card answers 9000

  @tms-cplc @beyond
  Scenario: TMS-02 Production data are read by their length
    When the host sends "80CA9F7F2D"
    Then the card answers 9000
    And the answer has 45 bytes

  @tms-applet @beyond @content
  Scenario: TMS-03 The applet tells status, build and life cycle
    Applies: keys and coolkey
    Given the applet is on the card
    When the host sends "00A40400 [{module}] 00"
    Then the card answers 9000
    And the answer is empty
    When the host sends "B03C000010"
    Then the card answers 9000
    And the answer has 16 bytes
    When the host sends "B070000004"
    Then the card answers 9000
    And the answer has 4 bytes
    When the host sends "B0F2000001"
    Then the card answers 9000
    And the answer is "07"

  @tms-handshake @beyond
  Scenario: TMS-04 The handshake tolerates the key index that is configured
    When the host sends "80500000 [{random 8}] 00"
    Then the card answers 9000
    When the host sends "80500001 [{random 8}] 00"
    Then the card answers 9000, tolerated 6A86

  @tms-protocol @beyond
  Scenario: TMS-05 A channel opens at the level of token management
    Applies: keys
    Given a secure channel at level "03"
    Then the channel still works

  @tms-delete @beyond @content
  Scenario: TMS-06 An applet is deleted, or was not there
    Applies: keys and load
    Given the AIDs of the load file are known
    And a secure channel at level "03"
    When the host sends "80E40000 [4F [{module}]] 00" in the channel
    Then the card answers 9000 or 6A88 or 6A82
    When the host sends "80E40080 [4F [{package}]] 00" in the channel
    Then the card answers 9000 or 6A88 or 6A82
    And the channel still works

  @tms-load @beyond @content
  Scenario: TMS-07 The applet is loaded in blocks of 224 bytes and installed
    Applies: keys and coolkey
    Given the AIDs of the load file are known
    And a secure channel at level "03"
    When the host sends "80E60200 [[{package}] [{isd}] 00 [EF [C6 [2000]]] 00] 00" in the channel
    Then the card answers 9000
    When the host loads the file in blocks of 224 bytes
    Then the card answers 9000
    When the host sends "80E60C00 [[{package}] [{module}] [{module}] [00] [EF [C8 [2710]] C9 [00 02 1388]] 00] 00" in the channel
    Then the card answers 9000
    And the registry lists "{module}" in state "07"

  @tms-load @beyond @content
  Scenario: TMS-08 Encrypted blocks of 224 bytes are taken
    Applies: keys and load
    Given the AIDs of the load file are known
    And a secure channel at level "03"
    When the host announces the load file in the channel
    And the host loads the file in blocks of 224 bytes
    Then the card answers 9000
    And the registry lists "{package}" in state "01"

  @tms-install @beyond @content
  Scenario: TMS-09 The applet is installed with the sizes that are configured
    Applies: keys and coolkey
    Given the load file is on the card
    And a secure channel at level "03"
    When the host sends "80E60C00 [[{package}] [{module}] [{module}] [00] [EF [C8 [4650]] C9 [00 02 1388]] 00] 00" in the channel
    Then the card answers 9000
    And the registry lists "{module}" in state "07"

  @tms-changeover @beyond @keys
  Scenario: TMS-10 Keys are changed at the level of token management
    Applies: keys
    Given a secure channel at level "03"
    When the host puts test keys
    Then the card answers 9000
    And the answer lists the version and check values of the test keys
    And the test keys open a channel

  @tms-lifecycle @beyond @content
  Scenario: TMS-11 The applet is personalized
    Applies: keys and coolkey
    Given the applet is on the card
    And the applet is in its own state "0F"
    Then the registry lists "{module}" in state "0F"

  @tms-objects @beyond @content
  Scenario: TMS-12 Objects are written in chunks of 208 bytes
    Applies: keys and coolkey
    Given the applet is on the card, with room
    And a channel to the applet at level "03"
    When the host sends "805A0000 [7A300000 000001A0 FFFF 4000 4000]" in the channel
    Then the card answers 9000
    When the host sends "80540000 [7A300000 00000000 D0 {random 208}]" in the channel
    Then the card answers 9000
    When the host sends "80540000 [7A300000 000000D0 D0 {random 208}]" in the channel
    Then the card answers 9000

  @tms-changeover @beyond @keys
  Scenario: TMS-13 An old key set is deleted after the changeover
    Applies: keys and replaceable
    Given a secure channel at level "03"
    When the host puts test keys
    Then the card answers 9000
    When a channel is opened with key version "{kvn}"
    And the host sends "80E40000 [D20171] 00" in the channel
    Then the card answers 9000
    And key version "71" is gone
