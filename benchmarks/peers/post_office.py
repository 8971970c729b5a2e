"""The peer of sending: django-post-office delivers queued mail to a backend that does nothing. Run by `.venv-clients`.

`post_office.py <database url> <people> <processes>` makes its tables, queues the mail, and sends it; prints one JSON
line: seconds (of the sending alone) and how many were sent. Its settings are those that are kindest to it: no logs of
single messages, batches of a thousand, one statement for their results.
"""

import json
import sys
import time
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend


class Nowhere(BaseEmailBackend):
    """Takes every message, and does nothing."""

    def send_messages(self, messages):
        return len(messages)


def configure(url):
    parts = urlsplit(url)
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": parts.path.lstrip("/"),
                "USER": parts.username or "",
                "PASSWORD": parts.password or "",
                "HOST": parts.hostname or "",
                "PORT": str(parts.port or ""),
            }
        },
        INSTALLED_APPS=["django.contrib.contenttypes", "post_office"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        SECRET_KEY="peer",
        LOGGING_CONFIG=None,
        POST_OFFICE={
            "BACKENDS": {"default": "benchmarks.peers.post_office.Nowhere"},
            "BATCH_SIZE": 1_000,
            "BATCH_DELIVERY_TIMEOUT": 600,
            "LOG_LEVEL": 0,
            "THREADS_PER_PROCESS": 1,
        },
    )
    django.setup()


def main():
    url, people, processes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    configure(url)
    from django.core.management import call_command
    from django.db import connection
    from post_office.mail import send_queued
    from post_office.models import STATUS, Email

    call_command("migrate", verbosity=0)
    text = "김하늘님, 주문하신 상품 원두 200g이(가) 오늘 도착합니다.\n문 앞에 두고 갈까요?"
    for start in range(0, people, 5_000):
        Email.objects.bulk_create(
            Email(
                from_email="shop@example.com",
                to=[f"person{n}@example.com"],
                subject="주문하신 상품이 도착했습니다",
                message=text,
                status=STATUS.queued,
                priority=2,
            )
            for n in range(start, min(start + 5_000, people))
        )
    began = time.perf_counter()
    while Email.objects.filter(status=STATUS.queued).exists():
        send_queued(processes=processes)
        connection.close()  # Its children have closed it for both.
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "sent": Email.objects.filter(status=STATUS.sent).count()}))


if __name__ == "__main__":
    main()
