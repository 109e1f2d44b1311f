"""The page that shows a text as tokens."""

WORDS = {
    "title": ("Tokenizer", "分词器"),
    "hint": (
        "Models read and write tokens, not letters. See which ones a text becomes, and how many.",
        "模型读写的是词元，而不是字符。在这里查看一段文字会被切成哪些词元、共有多少个。",
    ),
    "which": ("Tokenizer", "分词器"),
    "of_model": ("{name} (on this machine)", "{name}（本机模型）"),
    "text": ("Text", "文本"),
    "placeholder": ("Write or paste a text, or drop a file here", "输入或粘贴文本，也可以把文件拖到这里"),
    "file": ("Choose a text file", "选择文本文件"),
    "example": ("Show an example", "填入示例"),
    "clear": ("Clear", "清空"),
    "sample": (
        "Many words are one token, but some are not: indivisible.\n\nA character can take several: 🦜 龘\n\n"
        "    Digits go in groups: 1234567890",
        "一个词元往往是一个词，但也不尽然。\n\n生僻字和表情符号可能由多个词元组成：龘 🦜\n\n    数字会分组：1234567890",
    ),
    "large": (
        "This file has more than a million characters. Choose a shorter one.",
        "文件超过一百万字符，请选择较小的文件。",
    ),
    "no_text": (
        "This file is no text in UTF-8. Save it as UTF-8 first.",
        "文件不是 UTF-8 编码的文本，请先另存为 UTF-8。",
    ),
    "tokens": ("tokens", "词元"),
    "characters": ("characters", "字符"),
    "bytes": ("bytes", "字节"),
    "said": (
        "{tokens} tokens, {characters} characters, {bytes} bytes",
        "{tokens} 个词元，{characters} 个字符，{bytes} 字节",
    ),
    "counting": ("Counting…", "正在计算……"),
    "view": ("View", "显示方式"),
    "as_text": ("Text", "文本"),
    "as_ids": ("Token ids", "词元 ID"),
    "list": ("Tokens", "词元"),
    "choose": ("Point at a token, or go through them with the arrow keys.", "将指针移到词元上，或用方向键逐个查看。"),
    "back": ("Tokens before", "前面的词元"),
    "on": ("Tokens after", "后面的词元"),
    "where": ("{first}–{last} of {total}", "第 {first}–{last} 个，共 {total} 个"),
    "token": (
        "Token {number}: “{text}”, id {id}, bytes {bytes}",
        "第 {number} 个词元：“{text}”，ID {id}，字节 {bytes}",
    ),
    "part": (
        "Token {number}: part {part} of {parts} of “{whole}”, id {id}, bytes {bytes}",
        "第 {number} 个词元：“{whole}” 的第 {part} 部分（共 {parts} 部分），ID {id}，字节 {bytes}",
    ),
    "no_character": (
        "Token {number}: no text, id {id}, bytes {bytes}",
        "第 {number} 个词元：不是文本，ID {id}，字节 {bytes}",
    ),
}
