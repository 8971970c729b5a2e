"""Logs: one JSON line an event (a readable line on a terminal), with the request's id, and with a net that masks
phone numbers, e-mail addresses and credentials which should never have been handed to a logger."""

import logging.config
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

MASKS = [
    (re.compile(r"(?<![\w.])\+?\d(?:[\s().-]?\d){8,14}(?![\w.])"), "[phone]"),
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"), "[email]"),
    (re.compile(r"(?i)(authorization|secret|password|token)(\s*[=:]\s*)\S+"), r"\1\2[hidden]"),
]
SECRET_KEYS = {"secret", "password", "authorization", "token", "phone", "email"}


def mask(text: str) -> str:
    """`text` with everything that looks like a phone number, an e-mail address or a credential replaced."""
    for pattern, replacement in MASKS:
        text = pattern.sub(replacement, text)
    return text


def _mask_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key in SECRET_KEYS:
            event[key] = "[hidden]"
        elif isinstance(value, str) and key not in {"timestamp", "request_id"}:
            event[key] = mask(value)
    return event


SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.format_exc_info,
    _mask_event,
]


def configuration(*, level: str, pretty: bool) -> dict[str, Any]:
    """A `LOGGING` dictionary: records of Django, Celery and ours take one path to stderr."""
    renderer = structlog.dev.ConsoleRenderer(colors=False) if pretty else structlog.processors.JSONRenderer()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*SHARED],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    _mask_event,
                    renderer,
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django.server": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            "urllib3": {"level": "WARNING"},
            "celery": {"level": "WARNING" if level == "INFO" else level},
        },
    }


def configure(settings: dict[str, Any]) -> None:
    """Sets logging up from a `LOGGING` dictionary (Django's `LOGGING_CONFIG`)."""
    logging.config.dictConfig(settings)
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
