"""A local image model: OpenVINO in a child process of its own."""
