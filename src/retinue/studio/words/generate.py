"""What a model writes for an assistant."""

WORDS = {
    "button": ("Generate", "生成"),
    "instructions": ("Generate instructions", "生成指令"),
    "improve": ("Improve the instructions", "改进指令"),
    "hint": (
        "Written by the model {model}. Nothing changes before you use the proposal, and undo takes it back.",
        "由模型 {model} 撰写。采用建议之前不会有任何更改，采用后也可以撤销。",
    ),
    "wish": ("What should the assistant do?", "助手应该做什么？"),
    "change": ("What should be different?", "希望怎样改进？"),
    "of_function": ("What should the function do?", "函数应该做什么？"),
    "of_format": ("What should answers contain?", "回答应包含哪些内容？"),
    "like_instructions": (
        "Such as: answers questions of new colleagues about our leave rules, from the handbook only",
        "例如：仅根据手册回答新同事关于休假规定的问题",
    ),
    "like_change": (
        "Such as: shorter answers, and ask back when something is unclear",
        "例如：回答更简短，不清楚时先反问",
    ),
    "like_function": (
        "Such as: looks up free berths in a harbour for some nights and a length of ship",
        "例如：按天数和船长查询港口的空闲泊位",
    ),
    "like_format": (
        "Such as: name, date and total of an invoice, with its lines",
        "例如：发票的名称、日期、总额及明细",
    ),
    "from_words": ("Describe it, and a model writes it", "用文字描述，由模型生成"),
    "from_words_hint": (
        "The model {model} writes the definition below. Nothing is saved before you save it.",
        "由模型 {model} 写出下方的定义。点击保存之前不会有任何更改。",
    ),
    "writing": ("Writing… This can take a minute.", "正在撰写……可能需要一分钟。"),
    "stop": ("Stop", "停止"),
    "stopped": ("Stopped.", "已停止。"),
    "written": ("Written. Read it before you use it.", "已写好。采用前请先通读。"),
    "proposal": ("Proposal", "建议"),
    "use": ("Use the proposal", "采用建议"),
    "say_what": ("Say in a sentence what you want.", "请用一句话说明您的要求。"),
    "cut": (
        "The answer was longer than the model may write. Ask for less, or choose another model.",
        "回答超出了模型的输出上限。请缩小要求，或选择其他模型。",
    ),
    "unusable": (
        "The model answered something else. Try again, say it in other words, or choose another model.",
        "模型的回答无法使用。请重试、换种说法，或选择其他模型。",
    ),
}
