"""What a run is doing, and how it ended."""

WORDS = {
    "code": ("Working with code…", "正在运行代码……"),
    "files": ("Searching files…", "正在检索文件……"),
    "function": ("Calling a function…", "正在调用函数……"),
    "tool": ("Using a tool…", "正在使用工具……"),
    "happened": ("What happened", "运行过程"),
    "cancelled": ("Stopped.", "已停止。"),
    "failed": ("The run failed. {reason}", "运行失败。{reason}"),
    "expired": ("The run took too long and was ended. {reason}", "运行超时，已结束。{reason}"),
    "incomplete": ("The answer is incomplete. {reason}", "回答不完整。{reason}"),
    "max_completion_tokens": ("It reached the most tokens that it may write.", "已达到输出词元上限。"),
    "max_prompt_tokens": ("It reached the most tokens that it may read.", "已达到输入词元上限。"),
}
