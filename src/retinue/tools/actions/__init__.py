"""Actions: the operations of OpenAPI documents as functions."""
