"""Stand-in vendors over real sockets, for the demo and the tests: docs/sandbox.md. Imports nothing of the console."""
