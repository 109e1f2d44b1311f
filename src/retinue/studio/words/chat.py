"""The chat page."""

WORDS = {
    "title": ("Chat", "聊天"),
    "hello": ("What would you like to know?", "想了解什么？"),
    "with": ("Talk with", "对话对象"),
    "model": ("{name} · model", "{name} · 模型"),
    "unnamed": ("Assistant …{id}", "助手 …{id}"),
    "suggestion_1": (
        "Explain to a ten-year-old why the sky is blue.",
        "给十岁的孩子讲讲天空为什么是蓝色的。",
    ),
    "suggestion_2": (
        "Write a short, polite email that moves a meeting to Thursday.",
        "写一封简短有礼的邮件，把会议改到周四。",
    ),
    "suggestion_3": (
        "Write a Python function that finds duplicates in a list.",
        "写一个 Python 函数，找出列表中的重复项。",
    ),
    "suggestion_4": (
        "Give me three ideas for dinner with eggs and tomatoes.",
        "用鸡蛋和番茄做晚饭，给我三个主意。",
    ),
    "suggestions": ("Suggestions", "建议"),
    "no_models": (
        "There is nobody to talk with yet: no model that chats is set up. Add one to retinue.toml, then open this page "
        "again.",
        "还没有可以对话的模型。请在 retinue.toml 中添加一个聊天模型，然后重新打开此页面。",
    ),
    "history": ("Your chats", "聊天记录"),
    "copy_link": ("Copy the link", "复制链接"),
    "link_copied": (
        "The link is copied. Whoever is in this project can read the chat with it, after signing in.",
        "链接已复制。本项目的成员登录后可通过它查看此聊天。",
    ),
    "temporary": ("Temporary chat", "临时聊天"),
    "temporary_hint": (
        "Temporary chat: it is not among your chats, and is deleted with its files when you leave this page or begin "
        "another one. Export it first if you want to keep it.",
        "临时聊天：不会出现在聊天记录中。离开本页或新建聊天时，它及其文件会被删除。如需保留，请先导出。",
    ),
    "archived_hint": (
        "This chat is archived. It comes back when you write in it.",
        "此聊天已归档。发送消息后会自动移回聊天记录。",
    ),
    "export": ("Export", "导出"),
    "as_markdown": ("As Markdown, to read", "导出为 Markdown（便于阅读）"),
    "as_json": ("As JSON lines, for programs", "导出为 JSON Lines（供程序使用）"),
    "viewer": (
        "Your role in this project is viewer: you can read, and not write. An owner of the project can change that.",
        "您在此项目中的角色是查看者，只能阅读，不能发送消息。项目所有者可以更改您的角色。",
    ),
    "of_other": (
        "Somebody else began this chat. You can go on in a copy of your own.",
        "此聊天由他人发起。您可以在自己的副本中继续。",
    ),
    "continue": ("Go on in a copy", "在副本中继续"),
    "edit": ("Edit, and ask again", "编辑并重新提问"),
    "edit_hint": (
        "The answer comes in a new branch of the chat. The arrows under the question lead back to this one.",
        "回答会出现在新的分支中。用问题下方的箭头可以回到当前分支。",
    ),
    "again": ("Answer again", "重新回答"),
    "ask": ("Ask", "提问"),
    "question": ("Question", "问题"),
    "good": ("Good answer", "回答得好"),
    "bad": ("Bad answer", "回答不好"),
    "keys": ("Keyboard shortcuts", "键盘快捷键"),
    "key_send": ("Send the message", "发送消息"),
    "key_line": ("Begin a new line", "换行"),
    "key_help": ("Show these shortcuts", "显示快捷键"),
    "key_new": ("Begin a new chat", "新建聊天"),
    "key_search": ("Search your chats", "搜索聊天记录"),
    "key_write": ("Go to the field for messages", "跳到输入框"),
    "key_stop": ("Stop the answer", "停止回答"),
    "go_on": ("Go on", "继续"),
    "go_on_said": ("Please go on where you stopped.", "请从中断处继续。"),
    "thinking": ("The answer is on its way…", "正在思考……"),
    "cannot_read": (
        "{name} reads no such files. Choose somebody else, or leave the file out.",
        "{name} 无法读取此类文件。请选择其他对象，或不附带文件。",
    ),
    "cannot_see": (
        "{name} does not see pictures. Choose another model at the top, or leave the picture out.",
        "{name} 无法识别图片。请在顶部选择其他模型，或移除图片。",
    ),
    "only_files": ("Here are files: {names}", "请看这些文件：{names}"),
    "too_long": (
        "This chat is too long to be branched. Begin a new one.",
        "此聊天过长，无法创建分支。请新建聊天。",
    ),
    "stopped": ("Stopped.", "已停止。"),
    "lost": (
        "The connection to the answer was lost. Open the page again to go on reading it.",
        "与回答的连接已断开。重新打开页面即可继续阅读。",
    ),
    "allow_title": ("May the assistant do this?", "是否允许助手执行此操作？"),
    "allow": ("Allow", "允许"),
    "always": ("Always allow", "始终允许"),
    "deny": ("Do not allow", "不允许"),
    "allow_this": ("Allow {name}", "允许 {name}"),
    "sign_in_first": ("Sign in first (opens a new tab)", "请先登录（在新标签页中打开）"),
    "sign_in_then": ("Then come back and allow it.", "登录后请返回此处并点击允许。"),
    "own_function": (
        "The assistant calls {name}, a function that a program of yours has to answer. This page cannot. "
        "Use this assistant from that program.",
        "助手要调用函数 {name}，它需要由您的程序来响应，此页面无法代劳。请在该程序中使用此助手。",
    ),
    "end_run": ("End the run", "结束运行"),
}
