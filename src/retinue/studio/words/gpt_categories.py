"""Words of what GPTs are about, in the order in which it is offered."""

WORDS = {
    "writing": ("Writing", "写作"),
    "productivity": ("Productivity", "效率"),
    "research": ("Research", "研究"),
    "education": ("Education", "教育"),
    "programming": ("Programming", "编程"),
    "data": ("Data", "数据"),
    "lifestyle": ("Lifestyle", "生活"),
    "games": ("Games", "游戏"),
    "other": ("Other", "其他"),
}
