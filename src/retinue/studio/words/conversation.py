"""Messages, and the field in which they are written."""

WORDS = {
    "conversation": ("Conversation", "对话"),
    "picture": ("Picture", "图片"),
    "waiting": ("The answer is on its way", "正在回答"),
    "source": ("Source", "来源"),
    "you": ("You", "您"),
    "assistant": ("Assistant", "助手"),
    "empty": ("Nothing has been said yet.", "还没有消息。"),
    "write": ("Write a message", "输入消息"),
    "send": ("Send", "发送"),
    "stop": ("Stop", "停止"),
    "attach": ("Attach files", "添加附件"),
    "detach": ("Remove {name}", "移除 {name}"),
    "too_large": ("This file is too large.", "文件过大。"),
    "passage": ("Cited passage", "引用的段落"),
    "passage_gone": ("The passage cannot be read any more.", "无法再读取该段落。"),
}
