from django.urls import path

from cohorts import views

app_name = "cohorts"
urlpatterns = [
    path("cohorts/", views.cohort_list, name="list"),
    path("profiles/", views.profile_list, name="profiles"),
]
