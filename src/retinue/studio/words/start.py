"""The page that helps to begin."""

WORDS = {
    "title": ("Get started", "开始使用"),
    "hint": (
        "A first chat in a minute, and how programs use this server.",
        "一分钟开始第一次聊天，以及程序如何使用本服务器。",
    ),
    "chat": ("Your first chat", "第一次聊天"),
    "chat_hint": (
        "Choose an assistant. It is made for this project, and you can talk with it at once. It answers with {model}.",
        "选择一个助手。它会添加到此项目中，您可以立即与它对话。回答由 {model} 生成。",
    ),
    "no_model": (
        "No model is set up that could answer. Name one in retinue.toml, as docs/settings.md says, start the server "
        "again, and come back to this page.",
        "尚未设置可以回答的模型。请按 docs/settings.md 在 retinue.toml 中指定一个模型，重启服务器后再打开此页面。",
    ),
    "viewer": (
        "Your role in this project is viewer: you can read chats that colleagues send you links to. To chat yourself, "
        "ask an owner of the project for the role of a member.",
        "您在此项目中的角色是查看者，可以阅读同事分享链接的聊天。如需自己聊天，请联系项目所有者将您设为成员。",
    ),
    "tutor_name": ("Tutor", "学习导师"),
    "tutor_does": ("Explains step by step, and asks whether you follow.", "循序渐进地讲解，并确认您是否理解。"),
    "tutor_instructions": (
        "You are a patient tutor. Explain in short steps with an example each. End with one question that shows "
        "whether the learner has understood.",
        "你是一位耐心的导师。用简短的步骤讲解，每一步举一个例子。最后提一个问题，检验学习者是否理解。",
    ),
    "tutor_ask": ("Explain to me how interest on savings works.", "请给我讲讲存款利息是怎么计算的。"),
    "writer_name": ("Writer", "写作助手"),
    "writer_does": ("Drafts letters, emails and notes in a clear style.", "用清晰的文字起草信件、邮件和通知。"),
    "writer_instructions": (
        "You help people write. Draft what they ask for at once, in plain and friendly words, ready to send. Offer one "
        "way to make it shorter.",
        "你帮助人们写作。直接写出他们需要的内容，语言平实友好，可以直接发送。最后给出一个更简短的版本。",
    ),
    "writer_ask": (
        "Write an email to my neighbours about our garden party on Saturday.",
        "给邻居们写一封邮件，通知周六的花园聚会。",
    ),
    "coder_name": ("Programmer", "编程助手"),
    "coder_does": ("Writes and explains code.", "编写并讲解代码。"),
    "coder_instructions": (
        "You are an experienced programmer. Answer with short, complete code in a code block, then explain it in a few "
        "sentences.",
        "你是一位经验丰富的程序员。先用代码块给出简短完整的代码，再用几句话解释。",
    ),
    "coder_ask": (
        "Write a Python function that counts the words of a text.",
        "写一个统计文本单词数的 Python 函数。",
    ),
    "translator_name": ("Translator", "翻译助手"),
    "translator_does": ("Translates between English and Chinese.", "中英文互译。"),
    "translator_instructions": (
        "You are a translator. Translate English into Chinese and every other language into English. Answer with the "
        "translation only.",
        "你是一位翻译。将中文译成英文，将其他语言译成中文。只回答译文。",
    ),
    "translator_ask": ("Good morning! When does the library open today?", "早上好！图书馆今天几点开门？"),
    "making": ("Making the assistant…", "正在创建助手……"),
    "chat_button": ("Or just chat with the model", "或者直接与模型聊天"),
    "connect": ("Run code that was written for OpenAI", "运行为 OpenAI 编写的代码"),
    "connect_hint": (
        "Set two variables, and programs that use the official clients run here, unchanged.",
        "设置两个环境变量，使用官方客户端的程序即可在此运行，无需改动。",
    ),
    "your_key": ("your key", "您的密钥"),
    "tutor": ("You are a math tutor.", "你是一位数学老师。"),
    "question": ("Solve 3x + 11 = 14.", "解方程 3x + 11 = 14。"),
}
