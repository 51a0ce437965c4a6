"""What the tests stand on: scripted providers, and the gateway as a process."""
