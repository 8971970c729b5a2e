"""Every setting of the console, from the environment. `docs/settings.md` explains each; `.env.example` lists them."""

import sys
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy

from notifly_console.lib import embedded, logs
from notifly_console.lib.crypto import KeyRing

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
env.smart_cast = False
if (BASE_DIR / ".env").is_file():
    env.read_env(BASE_DIR / ".env")

TESTING = "pytest" in sys.modules
VAR_DIR = env.path("VAR_DIR", default=str(BASE_DIR / "var"))()
"""Where a console without servers keeps its files: database, broker, keys."""


def secret(name: str, local_file: str) -> str:
    """The secret `name`: from the variable, from the file that `<name>_FILE` names, or from the file in `VAR_DIR`
    that `make setup` wrote for a console on this machine only. Raises ImproperlyConfigured where there is none.
    """
    value: str = env.str(name, default="")
    if value:
        return value
    path = Path(env.str(f"{name}_FILE", default="") or str(Path(VAR_DIR) / local_file))
    try:
        value = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name} is not set. Set {name} or {name}_FILE (see .env.example), or run `make setup`, which writes "
            f"one for this machine. ({error.strerror}: {path.name})"
        ) from None
    if not value:
        raise ImproperlyConfigured(f"{path.name} is empty. Write the value of {name} into it, or remove the file.")
    return value


def optional(name: str) -> str:
    """The value of `name`, or of the file that `<name>_FILE` names; "" where neither is set."""
    if not env.str(name, default="") and not env.str(f"{name}_FILE", default=""):
        return ""
    return secret(name, "")


# -- Who may reach it -------------------------------------------------------------------------------------------------
LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=LOOPBACK)
IS_LOCAL = set(ALLOWED_HOSTS) <= {*LOOPBACK, "testserver"}
HTTPS = env.bool("HTTPS", default=not IS_LOCAL)
"""Off only for a console that is reached over loopback: then cookies can't carry the Secure mark."""
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
"""How many proxies stand in front; the visitor's address is read that many steps from the right of X-Forwarded-For."""
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# -- Secrets ----------------------------------------------------------------------------------------------------------
SECRET_KEY = secret("SECRET_KEY", "secret_key.txt")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
CREDENTIALS_KEYS = KeyRing.parse(secret("CREDENTIALS_KEYS", "credentials_keys.txt"))
"""Seals the credentials of connections; never derived from SECRET_KEY, so that each rotates without the other."""

# -- Parts ------------------------------------------------------------------------------------------------------------
SQLITE_URL = f"sqlite:///{VAR_DIR}/console.sqlite3"
_database_url = optional("DATABASE_URL") or SQLITE_URL
if not _database_url.startswith(("postgres://", "postgresql://", "sqlite:///")):
    raise ImproperlyConfigured("DATABASE_URL must begin with postgres:// or sqlite:///.")
try:
    _database = env.db_url_config(_database_url)
except ValueError:  # its message may hold the password
    raise ImproperlyConfigured("DATABASE_URL can't be read. Write postgres://user:password@host:5432/name.") from None
DATABASES = {"default": _database}
if _database["ENGINE"] == "django.db.backends.sqlite3":
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
        "PRAGMA cache_size=-64000; PRAGMA mmap_size=268435456; PRAGMA temp_store=MEMORY;",
    }
    _database["TEST"] = {"NAME": str(Path(VAR_DIR) / "test.sqlite3")}
elif _database["ENGINE"] == "django.db.backends.postgresql":
    _database["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=60)
    _database["CONN_HEALTH_CHECKS"] = True
    _database["ENGINE"] = "notifly_console.lib.postgresql"
    _database["WATCHED"] = env.bool("DATABASE_WATCHED", default=False)
    # A server that refuses is known at once. Of one that is gone without a word, a connection attempt tells after two
    # seconds (the client library takes no less), an idle connection after half a minute, a waiting one after twenty
    # seconds; a watched one sooner.
    _database["OPTIONS"] = {
        "connect_timeout": 2,
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        **_database.get("OPTIONS", {}),
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = optional("REDIS_URL")
BROKER = embedded.broker(REDIS_URL, Path(VAR_DIR))

# In the database in every mode: throttles must be shared by all processes, and no page may need the broker.
# Django's own ceiling of 300 rows would let anybody flush the throttles by filling the cache.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "console_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
    # Pieces of pages that depend on nothing but what their key names (`{% cache … using="drawn" %}`): of one process.
    "drawn": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "drawn",
        "OPTIONS": {"MAX_ENTRIES": 2_000},
    },
}

MIXPANEL_API_URL = env.str("MIXPANEL_API_URL", default="").rstrip("/")
"""An operator's override of Mixpanel's host (the stand-in); from the environment only, never from a form."""
SOLAPI_API_URL = env.str("SOLAPI_API_URL", default="").rstrip("/")
"""The same of SOLAPI's host."""
SOLAPI_REQUESTS_PER_SECOND = env.float("SOLAPI_REQUESTS_PER_SECOND", default=5.0)
"""Of one account, over all workers. SOLAPI publishes no limit; a request may carry 5,000 messages."""

# -- Sending ----------------------------------------------------------------------------------------------------------
SENDING_BATCH = env.int("SENDING_BATCH", default=1_000)
"""People handed to the provider at once, at most."""
SENDING_LEASE_SECONDS = env.float("SENDING_LEASE_SECONDS", default=60)
"""How long a worker that says nothing keeps its batch; a request of ours to a provider takes 30 s at most."""
SENDING_SETTLE_SECONDS = env.float("SENDING_SETTLE_SECONDS", default=30)
"""How long a provider is given before it is asked what became of a request that it didn't answer."""
SENDING_ASK_SECONDS = env.float("SENDING_ASK_SECONDS", default=20)
"""After how long a provider is first asked what became of what it took; the intervals grow."""
SENDING_PAUSE_SECONDS = env.float("SENDING_PAUSE_SECONDS", default=5)
"""The first pause after a provider took nothing; doubled each time, up to five minutes."""
SENDING_MOST_LOST = env.int("SENDING_MOST_LOST", default=10)
"""Batches in a row whose worker died before handing anything over: then the campaign stops."""

# -- Django -----------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "notifly_console.apps.ConsoleConfig",
    "campaigns.apps.CampaignsConfig",
    "cohorts.apps.CohortsConfig",
    "integrations.apps.IntegrationsConfig",
    "notifly_console.tenancy.apps.TenancyConfig",
    "notifly_console.audit.apps.AuditConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_htmx",
    "csp",
]
MIDDLEWARE = [
    "notifly_console.headers.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "notifly_console.headers.SecurityHeadersMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "integrations.webhooks.InboundMiddleware",
    "notifly_console.pages.ProbeMiddleware",
    "notifly_console.pages.OutageMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "notifly_console.tenancy.sessions.PersonMiddleware",
    "notifly_console.tenancy.sessions.SessionLimitsMiddleware",
    "notifly_console.tenancy.language.LanguageMiddleware",
    "notifly_console.tenancy.sessions.SignInRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "notifly_console.urls"
WSGI_APPLICATION = "notifly_console.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "notifly_console.pages.page_context",
            ],
            "libraries": {"ui": "notifly_console.lib.ui_tags"},
            # Ours last: it has quicker twins of `url` and `translate`.
            "builtins": ["django.templatetags.i18n", "notifly_console.lib.ui_tags"],
        },
    }
]

# -- Languages and time -----------------------------------------------------------------------------------------------
LANGUAGE_CODE = "ko"
LANGUAGES = [("ko", "한국어"), ("en", "English"), ("ja", "日本語")]
LOCALE_PATHS = [BASE_DIR / "notifly_console" / "locale"]
LANGUAGE_COOKIE_NAME = "console_language"
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = HTTPS
TIME_ZONE = env.str("TIME_ZONE", default="Asia/Seoul")
USE_TZ = True
USE_THOUSAND_SEPARATOR = False

# -- Static files -----------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
# With a collected folder (production) names carry a digest; without one the files are served as they lie.
_collected = (Path(STATIC_ROOT) / "staticfiles.json").is_file() and not TESTING
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if _collected
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not _collected
WHITENOISE_AUTOREFRESH = DEBUG

# -- Signing in -------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "tenancy.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = reverse_lazy("home")
ACCOUNT_ADAPTER = "notifly_console.tenancy.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = False
# allauth's own generator writes an address row while a link is only looked at.
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "django.contrib.auth.tokens.PasswordResetTokenGenerator"  # noqa: S105
PASSWORD_RESET_TIMEOUT = 3600
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
# Counted before a password is hashed. The key of login_failed is the address' network and the e-mail (adapters.py).
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "30/m/ip,5/15m/key", "reset_password": "10/m/ip,3/m/key"}
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES
MFA_ADAPTER = "notifly_console.tenancy.adapters.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS
MFA_TOTP_ISSUER = "Notifly Console"
MFA_FORMS = {
    "activate_totp": "notifly_console.tenancy.forms.ActivateTOTPForm",
    "login_webauthn": "notifly_console.tenancy.forms.LoginPasskeyForm",
    "authenticate_webauthn": "notifly_console.tenancy.forms.SecondPasskeyForm",
    "reauthenticate_webauthn": "notifly_console.tenancy.forms.ProofPasskeyForm",
}

SESSION_IDLE_MINUTES = env.int("SESSION_IDLE_MINUTES", default=30)
SESSION_HOURS = env.int("SESSION_HOURS", default=12)
SESSION_COOKIE_AGE = SESSION_HOURS * 3600
SESSION_ENGINE = "notifly_console.tenancy.session_store"
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "notifly_console.pages.csrf_failure"

# Without a mail server nothing is mailed, and pages say so. (What is printed instead ends up in a log, links that open
# an account among it.)
HAS_MAIL = bool(optional("EMAIL_URL"))
vars().update(env.email_url_config(optional("EMAIL_URL") or "dummymail://"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Notifly Console <console@localhost>")

# -- Headers ----------------------------------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = env.bool("SSL_REDIRECT", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_HSTS_SECONDS = 63_072_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200

# -- Logs -------------------------------------------------------------------------------------------------------------
LOGGING = logs.configuration(level=env.str("LOG_LEVEL", default="INFO"), pretty=sys.stderr.isatty() or DEBUG)
LOGGING_CONFIG = "notifly_console.lib.logs.configure"

MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SILENCED_SYSTEM_CHECKS: list[str] = []
