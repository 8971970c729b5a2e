from django.urls import include, path

from campaigns import builder_views, views

app_name = "campaigns"

of_a_campaign = [
    path("", views.campaign, name="campaign"),
    path("edit", builder_views.edit, name="edit"),
    path("edit/freshness", builder_views.freshness, name="freshness"),
]
urlpatterns = [
    path("campaigns/", views.campaign_list, name="list"),
    path("campaigns/new", builder_views.new, name="new"),
    path("campaigns/cohorts", builder_views.cohorts, name="cohorts"),
    path("campaigns/<hex:campaign_id>/", include(of_a_campaign)),
]
