"""Trying a GPT beside its settings."""

WORDS = {
    "title": ("Preview", "预览"),
    "again": ("Start over", "重新开始"),
    "empty": (
        "Say something to see how your GPT answers. Changes count from the next question on.",
        "发条消息，看看您的 GPT 会怎样回答。修改从下一个问题起生效。",
    ),
    "none_yet": (
        "Your GPT can be tried here once its first draft is there.",
        "有了初稿之后，就可以在这里试用您的 GPT。",
    ),
    "starters": ("Conversation starters", "开场白"),
    "no_reader": (
        "This GPT cannot read files that are sent to it. Switch on the code interpreter, or give it knowledge.",
        "此 GPT 无法读取发送给它的文件。请启用代码解释器，或为它添加知识文件。",
    ),
    "thinking": ("The answer is on its way…", "正在思考……"),
}
