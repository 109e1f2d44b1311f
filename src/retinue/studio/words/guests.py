"""Words of the page for guests."""

WORDS = {
    "new": ("New chat", "新对话"),
    "conversation": ("Conversation", "对话"),
    "starters": ("Suggestions", "可以这样问"),
    "you": ("You", "您"),
    "message": ("Message", "消息"),
    "placeholder": ("Write a message", "输入消息"),
    "send": ("Send", "发送"),
    "stop": ("Stop", "停止"),
    "close": ("Close the chat", "关闭对话"),
    "waiting": ("The answer is coming.", "正在回答。"),
    "stopped": ("Stopped.", "已停止。"),
    "cut": ("The answer was too long and ends here.", "回答过长，到此为止。"),
    "again": ("Try again", "重试"),
    "latest": ("To the newest message", "跳到最新消息"),
    "copy": ("Copy", "复制"),
    "copied": ("Copied", "已复制"),
    "source": ("Source", "来源"),
    "fine": (
        "Answers can be wrong. Whoever runs this chat can read it.",
        "回答可能有误。此对话的提供者可以查看对话内容。",
    ),
    "privacy": ("Privacy policy", "隐私政策"),
    "no_script": ("This page needs JavaScript.", "此页面需要启用 JavaScript。"),
    "invalid_title": ("This link is not valid", "此链接无效"),
    "invalid": (
        "It was closed, or has expired. Ask whoever gave it to you for a new one.",
        "链接已关闭或已过期。请向提供者索取新链接。",
    ),
    "error": ("That did not work. Please try again.", "操作未成功，请重试。"),
    "error_network": ("The server cannot be reached. Please try again.", "无法连接服务器，请重试。"),
    "error_guest_not_answered": (
        "The assistant cannot answer at the moment. Please try again.",
        "助手暂时无法回答，请重试。",
    ),
    "error_guest_limit": (
        "Too much was asked of late. Please come back later.",
        "近期提问过多，请稍后再来。",
    ),
    "error_conversation_busy": (
        "The last answer is still under way. Please wait a moment.",
        "上一条回答尚未结束，请稍候。",
    ),
    "error_conversation_full": (
        "This conversation has become too long. Please begin a new one.",
        "此对话已达上限，请开始新对话。",
    ),
    "error_conversation_not_found": (
        "This conversation is no longer there. Your next message begins a new one.",
        "此对话已不存在。您的下一条消息将开始新对话。",
    ),
    "error_guest_link_not_valid": ("This link is not valid any more.", "此链接已失效。"),
    "error_string_above_max_length": ("The message is too long.", "消息过长。"),
}
