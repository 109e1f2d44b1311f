"""The pages of GPTs."""
