"""The site map."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path, register_converter
from django.views.generic import RedirectView

from integrations import webhooks
from notifly_console import pages
from notifly_console.lib.addresses import HexId

register_converter(HexId, "hex")

urlpatterns = [
    path("", pages.home, name="home"),
    path("healthz", pages.healthz, name="healthz"),
    path("readyz", pages.readyz, name="readyz"),
    path("favicon.ico", login_not_required(RedirectView.as_view(url=settings.STATIC_URL + "icons/favicon.svg"))),
    path("accounts/", include("notifly_console.tenancy.account_urls")),
    path("", include("notifly_console.tenancy.urls")),
    path("mixpanel/projects/<str:inlet>/cohorts", webhooks.mixpanel_cohorts, name="mixpanel_cohorts"),
    path("solapi/projects/<str:inlet>/reports", webhooks.solapi_reports, name="solapi_reports"),
    path("projects/<hex:project_id>/", include("integrations.urls")),
    path("projects/<hex:project_id>/", include("cohorts.urls")),
    path("projects/<hex:project_id>/", include("campaigns.urls")),
]

handler400 = pages.bad_request
handler403 = pages.forbidden
handler404 = pages.not_found
handler500 = pages.server_error
