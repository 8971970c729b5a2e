"""Versions of a cohort: compared, undone, forgotten; and where its two roads meet."""
