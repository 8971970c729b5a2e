"""From a launch to everybody's outcome: when, the freeze, the send, and what is made known afterwards."""
