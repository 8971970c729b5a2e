from django.urls import path

from notifly_console.tenancy import audit_page, join_views, member_views, project_views, views

app_name = "tenancy"
PROJECT = "projects/<hex:project_id>/"
urlpatterns = [
    path("projects/", views.projects, name="projects"),
    path("projects/new/", views.new_project, name="new_project"),
    path(PROJECT + "members/", member_views.member_list, name="members"),
    path(PROJECT + "members/invite/", member_views.invite, name="invite"),
    path(PROJECT + "members/second-factor/", member_views.second_factor_rule, name="second_factor_rule"),
    path(PROJECT + "members/invitations/<hex:invitation_id>/resend/", member_views.resend, name="resend"),
    path(PROJECT + "members/invitations/<hex:invitation_id>/withdraw/", member_views.withdraw, name="withdraw"),
    path(PROJECT + "members/<int:member_id>/", member_views.member, name="member"),
    path(PROJECT + "members/<int:member_id>/role/", member_views.change_role, name="change_role"),
    path(PROJECT + "members/<int:member_id>/remove/", member_views.remove, name="remove_member"),
    path(PROJECT + "settings/project/", project_views.edit_project, name="project"),
    path(PROJECT + "audit/", audit_page.audit_log, name="audit"),
    path("invitations/<str:token>/", join_views.join, name="join"),
    path("me/", views.mypage, name="mypage"),
    path("me/name/", views.change_name, name="change_name"),
    path("me/sessions/end/", views.end_sessions, name="end_sessions"),
    path("language", views.choose_language, name="language"),
]
