"""Chat completions: from a request to the answer of whatever model serves it."""
