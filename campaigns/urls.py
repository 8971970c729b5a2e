from django.urls import URLPattern, URLResolver, include, path

from campaigns import rule_views
from campaigns.audience import opt_out_views
from campaigns.builder import parts as builder_parts
from campaigns.builder import review_views, trial_views, variable_views
from campaigns.builder import views as builder_views
from campaigns.results import lens_views, recipient_views, steer_views, views

app_name = "campaigns"

of_a_run = [
    path("people", recipient_views.people, name="run_people"),
    path("left-out", recipient_views.left_out_people, name="left_out"),
    path("search", recipient_views.search, name="search"),
    path("recipients/<int:recipient_id>/", recipient_views.recipient, name="recipient"),
    path("recipients/<int:recipient_id>/contact", recipient_views.reveal, name="reveal"),
    path("export", recipient_views.export_run, name="export"),
    path("cancel", steer_views.cancel, name="cancel"),
    path("again", steer_views.send_again, name="send_again"),
]
of_a_campaign: list[URLPattern | URLResolver] = [
    path("", views.campaign, name="campaign"),
    path("menu", views.menu, name="menu"),
    path("live", views.live, name="live"),
    path("planned", views.planned, name="planned"),
    path("runs", views.run_list, name="runs"),
    path("runs/<int:run_number>/", include(of_a_run)),
    path("pause", steer_views.pause, name="pause"),
    path("resume", steer_views.resume, name="resume"),
    path("end", steer_views.end, name="end"),
    path("duplicate", steer_views.duplicate, name="duplicate"),
    path("delete", steer_views.delete, name="delete"),
    path("people", builder_parts.people, name="people"),
    path("edit", builder_views.edit, name="edit"),
    path("edit/freshness", builder_parts.freshness, name="freshness"),
    path("edit/reach", builder_parts.reach, name="reach"),
    path("edit/preview", builder_parts.preview, name="preview"),
    path("edit/measure", builder_parts.measure, name="measure"),
    path("edit/variable", variable_views.variable, name="variable"),
    path("review", review_views.review, name="review"),
    path("review/price", review_views.priced, name="price"),
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
    path("profiles/<int:profile_id>/messages", lens_views.messages, name="messages"),
    path("profiles/<int:profile_id>/left-out", lens_views.left_out, name="exclusions"),
    path("cohorts/mixpanel_<int:source_id>/campaigns", lens_views.using_cohort, name="using_cohort"),
    path("groups/<hex:group_id>/campaigns", lens_views.using_group, name="using_group"),
    path("settings/opt-outs/", opt_out_views.opt_outs, name="opt_outs"),
    path("settings/opt-outs/search", opt_out_views.search, name="search_opt_outs"),
    path("settings/opt-outs/add", opt_out_views.add, name="add_opt_out"),
    path("settings/opt-outs/import", opt_out_views.import_numbers, name="import_opt_outs"),
    path("settings/opt-outs/pull", opt_out_views.pull, name="pull_opt_outs"),
    path("settings/opt-outs/<int:opt_out_id>/remove", opt_out_views.remove, name="remove_opt_out"),
    path("settings/sending/", rule_views.rules, name="rules"),
    path("settings/sending/save", rule_views.save_rules, name="save_rules"),
]
