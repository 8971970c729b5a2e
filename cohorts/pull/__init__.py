"""The refresh: what a cohort is in Mixpanel, fetched, page by page; when, and within which budget."""
