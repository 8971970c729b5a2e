"""The stand-in SOLAPI: groups, ledger, outcomes, reports, and the phones that received."""
