"""Every address that Django answers; segments, uploads, events and health are answered beside it (`asgi`)."""

from django.contrib import admin
from django.urls import include, path

from rushes.config.dashboards import dashboards

urlpatterns = [
    *dashboards(),  # before the admin, which answers everything below it
    path("admin/", admin.site.urls),
    path("api/", include("rushes.api.urls")),
    path("", include("rushes.web.urls")),
]

# Below /api/ in the promised shape, elsewhere as Django does.
handler400 = "rushes.api.errors.bad_request"
handler500 = "rushes.api.errors.server_error"
