"""Webhooks: keeping them, signing what they receive, delivering it."""
