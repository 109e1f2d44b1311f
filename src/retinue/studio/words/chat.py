"""The chat page."""

WORDS = {
    "title": ("Chat", "聊天"),
    "hello": ("What would you like to know?", "想了解什么？"),
}
