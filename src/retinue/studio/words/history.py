"""The list of chats."""

WORDS = {
    "history": ("Your chats", "聊天记录"),
    "options": ("Options", "选项"),
    "rename": ("Rename", "重命名"),
    "delete": ("Delete", "删除"),
    "more": ("Show more", "显示更多"),
    "today": ("Today", "今天"),
    "yesterday": ("Yesterday", "昨天"),
    "search": ("Search your chats", "搜索聊天记录"),
    "new": ("New chat", "新聊天"),
    "none": ("Your chats will stand here.", "您的聊天会显示在这里。"),
    "nothing": ("No chat has these words.", "没有包含这些字词的聊天。"),
    "untitled": ("Chat", "聊天"),
    "title": ("Title", "标题"),
    "sure": ("Delete this chat?", "删除这个聊天？"),
    "gone": (
        "“{title}” and all its branches will be gone for good.",
        "“{title}”及其所有分支将被永久删除，无法恢复。",
    ),
}
