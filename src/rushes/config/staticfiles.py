"""Static files of the pages and the admin, from the web process itself."""

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile


class StaticFiles(WhiteNoiseMiddleware):  # type: ignore[misc]  # it has no types
    """WhiteNoise with whole answers: under ASGI, Django reads its file to the end first anyway, and warns each time.

    The largest is a bundle of less than a megabyte.
    """

    @staticmethod
    def serve(static_file: StaticFile, request: HttpRequest) -> HttpResponse:
        """The file, a part of it, or a 304."""
        streamed = WhiteNoiseMiddleware.serve(static_file, request)
        response = HttpResponse(b"".join(streamed.streaming_content), status=streamed.status_code)
        streamed.close()
        del response["Content-Type"]  # a 304 has none
        for name, value in streamed.items():
            response[name] = value
        return response
