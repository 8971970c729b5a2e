from django.urls import include, path

from cohorts.pages import drift_views, group_views, plan_views, profile_views, push_views, version_views, views

app_name = "cohorts"

of_a_cohort = [
    path("", views.cohort, name="cohort"),
    path("run", views.cohort_run, name="cohort_run"),
    path("refresh", views.cohort_refresh, name="cohort_refresh"),
    path("watch", views.watch, name="watch"),
    path("members", views.members, name="members"),
    path("people/<slug:what>", views.people, name="people"),
    path("accept", views.accept, name="accept"),
    path("discard", views.discard, name="discard"),
    path("export", views.export, name="export"),
    path("roads/", drift_views.two_roads, name="two_roads"),
    path("roads/people/<slug:what>", drift_views.drift_people, name="drift_people"),
    path("rhythm", plan_views.save_rhythm, name="save_rhythm"),
    path("undo", version_views.undo, name="undo"),
    path("versions/", version_views.versions, name="versions"),
    path("versions/compare", version_views.compare_versions, name="compare"),
    path("versions/<int:older>/<int:newer>/", version_views.difference, name="difference"),
    path(
        "versions/<int:older>/<int:newer>/people/<slug:what>",
        version_views.difference_people,
        name="difference_people",
    ),
    path("versions/<int:older>/<int:newer>/export", version_views.difference_export, name="difference_export"),
]
of_a_group = [
    path("", group_views.group, name="group"),
    path("numbers", group_views.group_numbers, name="group_numbers"),
    path("edit", group_views.group_edit, name="group_edit"),
    path("measure", group_views.group_measure, name="group_measure"),
    path("duplicate", group_views.group_duplicate, name="group_duplicate"),
    path("delete", group_views.group_delete, name="group_delete"),
]
urlpatterns = [
    path("groups/", group_views.group_list, name="groups"),
    path("groups/new", group_views.group_new, name="group_new"),
    path("groups/compose", group_views.group_compose, name="group_compose"),
    path("groups/size", group_views.group_size, name="group_size"),
    path("groups/choices", group_views.group_choices, name="group_choices"),
    path("groups/<hex:group_id>/", include(of_a_group)),
    path("cohorts/", views.cohort_list, name="list"),
    path("cohorts/schedule", plan_views.schedule, name="schedule"),
    path("cohorts/rules", plan_views.rules, name="rules"),
    path("cohorts/rules/save", plan_views.save_rules, name="save_rules"),
    path("cohorts/live", views.live, name="live"),
    path("cohorts/refresh", views.refresh, name="refresh"),
    path("cohorts/mixpanel_<int:source_id>/", include(of_a_cohort)),
    path("settings/push/", push_views.push_page, name="push"),
    path("settings/push/live", push_views.push_live, name="push_live"),
    path("settings/push/confirm", push_views.push_confirm, name="push_confirm"),
    path("settings/push/columns", push_views.push_columns, name="push_columns"),
    path("profiles/", profile_views.profile_list, name="profiles"),
    path("profiles/search", profile_views.profile_search, name="profile_search"),
    path("profiles/<int:profile_id>/", profile_views.profile, name="profile"),
    path("profiles/<int:profile_id>/contacts", profile_views.reveal, name="reveal"),
    path("profiles/<int:profile_id>/events", profile_views.profile_events, name="profile_events"),
    path("profiles/<int:profile_id>/cohorts", profile_views.profile_cohorts, name="profile_cohorts"),
]
