"""The page that helps to begin."""

WORDS = {
    "title": ("Get started", "开始使用"),
    "hint": ("What this server is, and how programs use it.", "这台服务器是什么，以及程序如何使用它。"),
    "chat": ("Chat", "聊天"),
    "chat_hint": (
        "Ask the default model something. It runs on this machine.",
        "向默认模型提问，它就在这台机器上运行。",
    ),
    "chat_button": ("Start a chat", "开始聊天"),
    "connect": ("Run code that was written for OpenAI", "运行为 OpenAI 编写的代码"),
    "connect_hint": (
        "Set two variables, and programs that use the official clients run here, unchanged.",
        "设置两个环境变量，使用官方客户端的程序即可在此运行，无需改动。",
    ),
    "your_key": ("your key", "您的密钥"),
    "tutor": ("You are a math tutor.", "你是一位数学老师。"),
    "question": ("Solve 3x + 11 = 14.", "解方程 3x + 11 = 14。"),
}
