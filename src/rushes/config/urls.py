"""Every address that Django answers; segments, uploads, events and health are answered beside it (`asgi`)."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

from rushes.config.dashboards import dashboards

admin.site.site_header = "Rushes"
admin.site.site_title = "Rushes"
admin.site.index_title = "Administration"

urlpatterns = [
    path(
        "favicon.ico", RedirectView.as_view(url=static("icon.svg"))
    ),  # browsers ask for it on the admin's pages
    *dashboards(),  # before the admin, which answers everything below it
    path("admin/", admin.site.urls),
    path("api/", include("rushes.api.urls")),
    path("", include("rushes.web.urls")),
]

# Below /api/ in the promised shape, elsewhere as Django does.
handler400 = "rushes.api.errors.bad_request"
handler500 = "rushes.api.errors.server_error"
