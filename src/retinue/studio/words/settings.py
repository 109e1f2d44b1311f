"""The page of settings."""

WORDS = {
    "title": ("Settings", "设置"),
    "hint": (
        "What is in force in the process that answers this page.",
        "响应此页面的进程当前生效的设置。",
    ),
    "how": ("How to change a setting", "如何修改设置"),
    "how_file": (
        "Write it into the settings file on the server, {file}, and restart the server:",
        "在服务器的设置文件 {file} 中写入，然后重启服务器：",
    ),
    "how_environment": (
        "or set its environment variable, which counts before the file. Models and their defaults need no restart.",
        "也可以设置对应的环境变量，其优先于设置文件。模型及默认模型的更改无需重启。",
    ),
    "search": ("Search settings", "搜索设置"),
    "changed": ("Only what is not the default", "仅显示非默认值"),
    "nothing": ("No setting fits. Search for another word.", "没有匹配的设置，请换个关键词。"),
    "unset": ("unset", "未设置"),
    "secret_set": ("set, not shown", "已设置，不显示"),
    "default_is": ("Default: {value}", "默认值：{value}"),
    "file": ("settings file", "设置文件"),
    "environment": ("environment", "环境变量"),
    "argument": ("command line", "命令行"),
    "count": ("{count} settings", "{count} 项设置"),
}
