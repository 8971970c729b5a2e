from django.urls import path

from notifly_console.tenancy import views

app_name = "tenancy"
urlpatterns = [
    path("projects/", views.projects, name="projects"),
    path("projects/<hex:project_id>/members/", views.members, name="members"),
    path("me/", views.mypage, name="mypage"),
    path("language", views.choose_language, name="language"),
]
