"""Django's PostgreSQL backend for pages: one that notices when the server says nothing (`base.py`, `silence.py`)."""
