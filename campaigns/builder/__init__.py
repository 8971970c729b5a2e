"""A draft, saved at every step: the long page, its live preview, the review and the test."""
