"""The HTTP API: routes and nothing else, one file a resource."""
