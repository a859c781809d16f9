Feature: The secure channel
  Everything that matters on a card happens inside a secure channel. The system proves that the
  card is the one it believes before it spends one of the card's authentication tries, and the
  card proves that every command comes from the system, unchanged and in order.

  Scenario Outline: Every stock opens a channel with its factory keys
    Given a blank card of stock "<stock>"
    When a channel is opened with the factory keys at level "<level>"
    Then the channel speaks "<protocol>"
    And a command inside the channel is answered with "9000"

    Examples:
      | stock       | level       | protocol   |
      | gp211-scp01 | C-MAC       | SCP01 i=05 |
      | gp211-scp01 | C-MAC,C-ENC | SCP01 i=05 |
      | gp211-scp02 | C-MAC       | SCP02 i=15 |
      | gp211-scp02 | C-MAC,C-ENC | SCP02 i=15 |
      | sce6-scp03  | C-MAC       | SCP03      |
      | sce6-scp03  | C-MAC,C-ENC | SCP03      |
      | sce7-scp03  | C-MAC       | SCP03      |
      | sce7-scp03  | C-MAC,C-ENC | SCP03      |

  Scenario Outline: Responses are protected where the card can do it
    Given a blank card of stock "<stock>"
    When a channel is opened with the factory keys at level "<level>"
    Then a command inside the channel is answered with "9000"
    And the answer carried a correct R-MAC

    Examples:
      | stock      | level                   |
      | sce7-scp03 | C-MAC,R-MAC             |
      | sce7-scp03 | C-MAC,C-ENC,R-MAC       |
      | sce7-scp03 | C-MAC,C-ENC,R-MAC,R-ENC |

  Scenario Outline: Wrong keys are found out without spending a try
    Given a blank card of stock "<stock>"
    When a channel is opened with wrong keys
    Then opening the channel fails because the card's cryptogram is wrong
    And the card has seen no EXTERNAL AUTHENTICATE
    And a channel opened with the factory keys works

    Examples:
      | stock       |
      | gp211-scp01 |
      | gp211-scp02 |
      | sce6-scp03  |
      | sce7-scp03  |

  Scenario Outline: A host that does not know the keys is refused by the card
    Given a blank card of stock "<stock>"
    When an EXTERNAL AUTHENTICATE with a made-up cryptogram is sent
    Then the card refuses it with "6300"
    And a command that needs a channel is refused with "6982"
    And a channel opened with the factory keys works

    Examples:
      | stock       |
      | gp211-scp01 |
      | gp211-scp02 |
      | sce6-scp03  |
      | sce7-scp03  |

  Scenario Outline: A replayed command ends the channel
    Given a blank card of stock "<stock>"
    And a channel is opened with the factory keys at level "C-MAC"
    When the last command is sent a second time, byte for byte
    Then the card refuses it with "6982"
    And the channel is gone
    And a channel opened with the factory keys works

    Examples:
      | stock       |
      | gp211-scp01 |
      | gp211-scp02 |
      | sce6-scp03  |
      | sce7-scp03  |

  Scenario Outline: One flipped bit ends the channel
    Given a blank card of stock "<stock>"
    And a channel is opened with the factory keys at level "<level>"
    When a command with one flipped bit is sent
    Then the card refuses it with "6982"
    And the channel is gone

    Examples:
      | stock       | level       |
      | gp211-scp01 | C-MAC       |
      | gp211-scp01 | C-MAC,C-ENC |
      | gp211-scp02 | C-MAC       |
      | gp211-scp02 | C-MAC,C-ENC |
      | sce6-scp03  | C-MAC       |
      | sce7-scp03  | C-MAC,C-ENC |

  Scenario Outline: A command without its MAC is refused inside a channel
    Given a blank card of stock "<stock>"
    And a channel is opened with the factory keys at level "C-MAC"
    When a command that needs a channel is sent without a MAC
    Then the card refuses it with "6982"

    Examples:
      | stock       |
      | gp211-scp01 |
      | gp211-scp02 |
      | sce6-scp03  |
      | sce7-scp03  |

  Scenario Outline: A security level that does not exist is refused
    Given a blank card of stock "<stock>"
    When an EXTERNAL AUTHENTICATE asks for level "<level>"
    Then the card refuses it
    And a command that needs a channel is refused with "6982"
    And a channel opened with the factory keys works

    Examples:
      | stock       | level |
      | gp211-scp01 | 02    |
      | gp211-scp02 | 02    |
      | sce6-scp03  | 02    |
      | sce7-scp03  | 20    |

  Scenario Outline: A reset ends the channel
    Given a blank card of stock "<stock>"
    And a channel is opened with the factory keys at level "C-MAC"
    When the card is reset
    Then the channel is gone
    And a channel opened with the factory keys works

    Examples:
      | stock       |
      | gp211-scp01 |
      | gp211-scp02 |
      | sce6-scp03  |
      | sce7-scp03  |

  Scenario: A second INITIALIZE UPDATE aborts the first session
    Given a blank card of stock "sce7-scp03"
    And a channel is opened with the factory keys at level "C-MAC"
    When an INITIALIZE UPDATE is sent and nothing follows
    Then the channel is gone
    And a channel opened with the factory keys works

  Scenario: A card answers an unknown key version with an error and stays usable
    Given a blank card of stock "gp211-scp02"
    When an INITIALIZE UPDATE asks for key version "55"
    Then the card refuses it with "6A88"
    And a channel opened with the factory keys works
