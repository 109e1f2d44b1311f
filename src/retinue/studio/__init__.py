"""The web pages: a client of the public API like any other."""

#: How the paths begin to which pages send files.
UPLOADS = "/_nicegui/client/"
