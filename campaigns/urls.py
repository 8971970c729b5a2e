from django.urls import include, path

from campaigns import builder_parts, builder_views, review_views, trial_views, variable_views, views

app_name = "campaigns"

of_a_campaign = [
    path("", views.campaign, name="campaign"),
    path("menu", views.menu, name="menu"),
    path("people", builder_parts.people, name="people"),
    path("edit", builder_views.edit, name="edit"),
    path("edit/freshness", builder_parts.freshness, name="freshness"),
    path("edit/reach", builder_parts.reach, name="reach"),
    path("edit/preview", builder_parts.preview, name="preview"),
    path("edit/variable", variable_views.variable, name="variable"),
    path("review", review_views.review, name="review"),
    path("launch", review_views.launch, name="launch"),
    path("test", trial_views.test, name="test"),
    path("test/<int:run_number>", trial_views.outcome, name="test_outcome"),
]
urlpatterns = [
    path("campaigns/", views.campaign_list, name="list"),
    path("campaigns/new", builder_views.new, name="new"),
    path("campaigns/cohorts", builder_parts.cohorts, name="cohorts"),
    path("campaigns/pictures/<hex:picture_id>", builder_parts.picture, name="picture"),
    path("campaigns/<hex:campaign_id>/", include(of_a_campaign)),
]
