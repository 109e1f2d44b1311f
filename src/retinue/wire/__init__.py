"""The OpenAI objects, requests and events as types: data only.

Source: the official OpenAPI document (Assistants v2) of 2026-08-21. The types are the domain types too: what is
stored, what the engine holds and what HTTP answers is one class.
"""
