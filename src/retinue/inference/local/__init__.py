"""The built-in models: their weights, and the process that holds them."""
