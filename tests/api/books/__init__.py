"""The books: what everybody used and what it cost, to the nano-dollar, by the official client."""
