"""Mixpanel: its client (`client`), what it says (`schemas`), what it refuses (`errors`), who counts (`meter`)."""
