"""Rating an answer of a GPT."""

WORDS = {
    "title": ("Rate an answer", "评价回答"),
    "rate": ("Rate this answer", "评价此回答"),
    "of": ("How was this answer of {name}?", "“{name}”的这条回答怎么样？"),
    "question": ("You asked", "您的提问"),
    "answer": ("It answered", "它的回答"),
    "rating": ("Your rating", "您的评价"),
    "up": ("Good", "好"),
    "down": ("Not good", "不好"),
    "comment": ("What should its maker know?", "想对制作者说些什么？"),
    "share": ("Its maker may read this question and this answer", "允许制作者查看此提问和回答"),
    "privacy": (
        "The maker is not told who you are, and reads nothing else of the conversation. You can take it back at any "
        "time, and deleting the conversation takes it back too.",
        "制作者不会知道您是谁，也看不到对话的其他内容。您可以随时撤回；删除对话也会一并撤回。",
    ),
    "send": ("Send", "提交"),
    "send_again": ("Change it", "更新评价"),
    "take_back": ("Take it back", "撤回评价"),
    "choose": ("Choose good or not good first.", "请先选择“好”或“不好”。"),
    "sent": ("Thank you. Its maker reads it.", "谢谢，制作者会看到您的评价。"),
    "taken_back": ("Taken back.", "已撤回。"),
    "back": ("Back to the conversation", "返回对话"),
}
