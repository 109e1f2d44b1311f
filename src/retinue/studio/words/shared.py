"""Chats that are shared by link: the dialog that makes a link, and the page that shows what it leads to."""

WORDS = {
    "share": ("Share by link", "通过链接分享"),
    "share_title": ("Share this chat", "分享此聊天"),
    "who": (
        "Whoever has the link can read this chat, without signing in, as it is now: messages that come later are not "
        "shown.",
        "任何获得链接的人无需登录即可阅读此聊天的当前内容；之后的消息不会显示。",
    ),
    "what": (
        "Shown are questions, answers, and their pictures and files. Not shown are your name, files that you attached, "
        "sources, what tools returned, and the assistant's instructions.",
        "会显示提问、回答以及其中的图片和文件。不会显示您的姓名、您上传的附件、引用来源、工具返回的内容以及助手的指令。",
    ),
    "title": ("Title", "标题"),
    "good_for": ("Good for", "有效期"),
    "until_revoked": ("Until I revoke it", "直到我撤销"),
    "day": ("1 day", "1 天"),
    "week": ("7 days", "7 天"),
    "month": ("30 days", "30 天"),
    "make": ("Make a link", "创建链接"),
    "made": ("The link is made.", "链接已创建。"),
    "links": ("Links to this chat", "此聊天的链接"),
    "none": ("Nobody outside can read this chat.", "目前外部人员无法阅读此聊天。"),
    "link": ("Link", "链接"),
    "lost": (
        "This link works, but cannot be shown again: the server's key was changed.",
        "此链接仍然有效，但无法再次显示：服务器的密钥已更改。",
    ),
    "messages": ("{count} messages · made", "{count} 条消息 · 创建于"),
    "message": ("1 message · made", "1 条消息 · 创建于"),
    "ends": ("good until", "有效期至"),
    "revoke": ("Revoke", "撤销"),
    "revoke_this": ("Revoke this link", "撤销此链接"),
    "revoked": ("The link is revoked. It leads nowhere now.", "链接已撤销，不再有效。"),
    "page": ("Shared conversation", "分享的对话"),
    "note": (
        "Somebody shared this conversation with an AI assistant. Answers can be wrong.",
        "此为他人分享的与 AI 助手的对话，回答可能有误。",
    ),
    "person": ("Person", "用户"),
    "gone": ("This link leads nowhere", "此链接无效"),
    "gone_hint": (
        "The conversation is no longer shared, or the address is not complete. Ask whoever sent it to you for a new "
        "link.",
        "该对话已不再分享，或地址不完整。请向分享者索取新的链接。",
    ),
    "away": ("The server cannot answer at the moment. Please try again soon.", "服务器暂时无法响应，请稍后重试。"),
    "scripts": ("This page needs JavaScript.", "此页面需要启用 JavaScript。"),
    "more": ("Show more", "显示更多"),
    "loading": ("Loading…", "正在加载……"),
    "failed": (
        "The rest could not be loaded. Open the page again to try once more.",
        "其余内容加载失败，请重新打开页面再试。",
    ),
}
