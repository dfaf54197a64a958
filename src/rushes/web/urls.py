"""The addresses of the pages."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from rushes.web import changes, library, photo, subtitles, upload, watch

app_name = "web"
urlpatterns = [
    path("", library.library, name="library"),
    path(
        "login/",
        LoginView.as_view(template_name="web/login.html", redirect_authenticated_user=True),
        name="login",
    ),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("upload/", upload.upload, name="upload"),
    path("v/<slug:public_id>/", watch.watch, name="watch"),
    path("v/<slug:public_id>/subtitles/", subtitles.add, name="add_subtitles"),
    path("v/<slug:public_id>/subtitles/<slug:name>/delete/", subtitles.remove, name="remove_subtitles"),
    path("v/<slug:public_id>/delete/", changes.delete, name="delete"),
    path("p/<slug:public_id>/", photo.see, name="photo"),
    path("p/<slug:public_id>/delete/", photo.delete, name="delete-photo"),
    path("p/<slug:public_id>/again/", photo.again, name="photo-again"),
    path("v/<slug:public_id>/transcode/", changes.transcode, name="transcode"),
]
