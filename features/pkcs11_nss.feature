@programs
Feature: NSS
  Browsers and mail programs that use NSS add the CoolKey module to their database, list what the
  token holds, and sign and open messages with it.

  Background:
    Given Alice's card with a signing and an encryption key, RSA 2048
    When modutil adds the coolkey module to a new NSS database

  Scenario: The token and what it holds are listed
    Then modutil shows the holder's token
    And certutil lists the certificates and the keys of the token

  Scenario: A message is signed
    When cmsutil signs a message
    Then openssl verifies the signed message by its issuer

  Scenario: A sealed message is opened
    When openssl seals a message for the card's certificate
    And cmsutil opens it
    Then it reads the message

  Scenario: A wrong PIN signs nothing
    When cmsutil tries to sign a message with the PIN "0000"
    Then it fails with "Incorrect password"
    And the card has 2 of 3 tries left
