from django.urls import path

from integrations import views

app_name = "integrations"
urlpatterns = [
    path("settings/", views.settings_page, name="settings"),
]
