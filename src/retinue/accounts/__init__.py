"""Who may do what: projects and API keys."""
