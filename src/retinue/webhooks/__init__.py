"""Webhooks: keeping their endpoints, signing what these receive, delivering it."""
