from django.urls import path

from integrations import key_views, sender_views, template_views, views

app_name = "integrations"
urlpatterns = [
    path("settings/", views.settings_page, name="settings"),
    path("settings/mixpanel/register/", views.register_mixpanel, name="register"),
    path("settings/mixpanel/test/", views.check_mixpanel, name="test"),
    path("settings/mixpanel/disconnect/", views.disconnect_mixpanel, name="disconnect"),
    path("settings/mixpanel/<slug:key>/", views.edit_mixpanel, name="edit"),
    path("settings/solapi/register/", sender_views.register_sender, name="sender_register"),
    path("settings/solapi/key/", sender_views.edit_sender, name="sender_edit"),
    path("settings/solapi/test/", sender_views.check_sender, name="sender_test"),
    path("settings/solapi/refresh/", sender_views.refresh_sender, name="sender_refresh"),
    path("settings/solapi/webhook/", sender_views.new_hook_secret, name="sender_hook"),
    path("settings/solapi/disconnect/", sender_views.disconnect_sender, name="sender_disconnect"),
    path("settings/keys/new/", key_views.issue_key, name="key_new"),
    path("settings/keys/<int:key_id>/revoke/", key_views.revoke_key, name="key_revoke"),
    path("settings/keys/release/", key_views.release_inlet, name="inlet_release"),
    path("templates/", template_views.list_templates, name="templates"),
    path("templates/refresh/", template_views.refresh_templates, name="templates_refresh"),
    path("templates/<slug:template_id>/", template_views.show_template, name="template"),
]
