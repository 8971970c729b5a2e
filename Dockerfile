# syntax=docker/dockerfile:1
# The console's image: one image, and a command for each process (compose.yaml). Nothing is compiled; the packages are
# those of requirements/run.lock, checked by hash.
FROM python:3.12-slim-bookworm AS build
ENV PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
RUN python -m venv /app/.venv
COPY requirements/run.lock requirements/run.lock
RUN .venv/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements/run.lock
COPY . .
# Translations and collected static files are part of the image. The keys here exist for these commands only.
RUN .venv/bin/python tools/setup.py translations \
    && SECRET_KEY=build-only-0123456789-0123456789-0123456789-0123456789 \
       CREDENTIALS_KEYS=k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE= \
       .venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
    && .venv/bin/python -m compileall -q notifly_console integrations cohorts campaigns .venv

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin console
WORKDIR /app
COPY --from=build /app /app
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 VAR_DIR=/tmp/console
USER console
EXPOSE 8000
# Two processes of four threads, for two cores. The heartbeat files lie in memory, so that a slow disk never looks like a dead worker.
CMD ["python", "-m", "gunicorn", "notifly_console.wsgi", "--bind", "0.0.0.0:8000", "--no-control-socket", \
     "--worker-class", "notifly_console.serve.Worker", "--workers", "2", "--threads", "4", "--timeout", "60", "--graceful-timeout", "20", \
     "--max-requests", "5000", "--max-requests-jitter", "500", "--worker-tmp-dir", "/dev/shm"]
