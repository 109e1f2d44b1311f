"""GPTs: assistants that anyone makes, publishes and finds."""
