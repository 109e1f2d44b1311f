"""Files into chunks into search."""
