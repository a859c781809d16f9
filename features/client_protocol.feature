Feature: The client protocol
  Clients of many years speak to the system: one POST, chunked in both directions, one message
  a chunk. The system understands what they send even when the network cuts and glues it
  differently, and it answers nonsense with a clear refusal and an end of the operation.

  Background:
    Given a token management system with the usual users

  Scenario Outline: Messages arrive cut or glued and mean the same
    Given a blank card of stock "gp211-scp02"
    When "alice" formats the card through a client that sends <how>
    Then the operation succeeds
    And the token is FORMATTED and belongs to nobody

    Examples:
      | how                          |
      | one message a chunk          |
      | every byte in its own chunk  |
      | every message in three pieces |
      | its fields in another order  |
      | PDUs with every byte escaped |

  Scenario: Two messages in one chunk
    When a client sends its BEGIN_OP and its next message in one chunk
    Then the server reads both

  Scenario: Extended login is used only by clients that ask for it
    Given a blank card of stock "gp211-scp02"
    When "alice" formats the card through a client that knows only the plain login
    Then the operation succeeds
    And the server asked for a plain login
    When "alice" formats the card
    Then the operation succeeds
    And the server asked for an extended login with the parameters
      | id       | type     |
      | UID      | string   |
      | PASSWORD | password |

  Scenario: Progress is sent only to clients that ask for it
    Given a blank card of stock "gp211-scp02"
    When "alice" formats the card through a client that asks for no progress
    Then the operation succeeds
    And the server sent no status update

  Scenario Outline: What is not the protocol gets an HTTP error
    When a client sends <what>
    Then the HTTP answer is <status>

    Examples:
      | what                                  | status |
      | a GET instead of a POST               | 405    |
      | a POST that is not chunked            | 400    |
      | a POST to a path that does not exist  | 404    |

  Scenario Outline: Nonsense ends the operation
    When a client sends <what>
    Then the server ends the operation with result 1 and code <code>
    And the server still works

    Examples:
      | what                                       | code |
      | a message that is longer than allowed      | 1    |
      | a length that is not a number              | 1    |
      | a length that is negative                  | 1    |
      | a length of twenty digits                  | 1    |
      | garbage                                    | 1    |
      | a message type that does not exist         | 1    |
      | an answer where BEGIN_OP is expected       | 1    |
      | a BEGIN_OP with a broken percent escape    | 1    |

  Scenario Outline: An operation that the system does not know ends at once
    When a client begins operation <operation>
    Then the server ends operation <operation> with result 1 and code <code>

    Examples:
      | operation | code |
      | 0         | 8    |
      | 2         | 8    |
      | 4         | 8    |
      | 99        | 8    |

  Scenario: A card answer whose size does not match is not used
    Given a blank card of stock "gp211-scp02"
    When "alice" formats the card through a client that lies about the size of a PDU
    Then the operation fails
    And nothing on the card has changed

  @alone
  Scenario: A client that goes away in the middle does not hold the server
    When 20 clients begin a format and go away
    Then the server soon has no session left

  Scenario: A PIN, a password and a key never reach the server's log
    Given a blank card of stock "gp211-scp02"
    When "alice" formats the card
    Then the operation succeeds
    And the server's log names the session in every line of the operation
    And the server's log holds neither the password nor a key

  Scenario: The phone home page tells a client where to go
    When a client asks for the phone home page
    Then the page names the issuer, the address for operations and the token type "userKey"
