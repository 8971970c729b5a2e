"""What gunicorn serves."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifly_console.settings")
os.environ.setdefault("DATABASE_WATCHED", "1")  # A page gives up a silent database within a second; a worker waits.
application = get_wsgi_application()

# What is loaded by now stays for good: the collector needn't walk over it again and again.
gc.collect()
gc.freeze()
gc.set_threshold(10_000, 20, 20)
