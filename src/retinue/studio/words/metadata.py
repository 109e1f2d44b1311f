"""Metadata."""

WORDS = {
    "title": ("Metadata", "元数据"),
    "none": (
        "None. Pairs of key and value for your own programs; the model does not see them.",
        "无。键值对供您自己的程序使用，模型看不到。",
    ),
    "key": ("Key", "键"),
    "value": ("Value", "值"),
    "add": ("Add a pair", "添加键值对"),
    "remove": ("Remove this pair", "移除此键值对"),
    "no_key": ("A value has no key. Write one, or remove the row.", "有一个值缺少键，请填写键或移除该行。"),
    "twice": ("The key {name} is there twice.", "键 {name} 重复。"),
    "too_many": ("At most {most} pairs.", "最多 {most} 个键值对。"),
    "too_long": (
        "Keys have at most {of_key} characters, values {of_value}.",
        "键最多 {of_key} 个字符，值最多 {of_value} 个字符。",
    ),
}
