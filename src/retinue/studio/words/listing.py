"""Tables."""

WORDS = {
    "actions": ("Actions", "操作"),
    "more": ("Show more", "显示更多"),
}
