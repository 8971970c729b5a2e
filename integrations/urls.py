from django.urls import path

from integrations import views

app_name = "integrations"
urlpatterns = [
    path("settings/", views.settings_page, name="settings"),
    path("settings/mixpanel/register/", views.register_mixpanel, name="register"),
    path("settings/mixpanel/test/", views.check_mixpanel, name="test"),
    path("settings/mixpanel/disconnect/", views.disconnect_mixpanel, name="disconnect"),
    path("settings/mixpanel/<slug:key>/", views.edit_mixpanel, name="edit"),
]
