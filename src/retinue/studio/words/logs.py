"""All runs, and the chat completions that were stored."""

WORDS = {
    "title": ("Logs", "日志"),
    "runs": ("Runs", "运行"),
    "completions": ("Chat completions", "对话补全"),
    "all_statuses": ("Any status", "全部状态"),
    "all_assistants": ("Any assistant", "全部助手"),
    "all_models": ("Any model", "全部模型"),
    "time": ("Time", "时间"),
    "more": ("Show more", "显示更多"),
    "no_runs": (
        "No run yet. Every answer of an assistant is a run: start a chat, or send a request, and it appears here.",
        "还没有运行记录。助手的每次回答都是一次运行：开始聊天或发送请求后会显示在这里。",
    ),
    "no_runs_found": (
        "No run fits. Choose another status, assistant or model.",
        "没有符合条件的运行，请选择其他状态、助手或模型。",
    ),
    "no_completions": (
        "No chat completion is stored. Requests with “store”: true are kept, and appear here.",
        "还没有存储的对话补全。请求中带有 “store”: true 的会被保存并显示在这里。",
    ),
    "answer": ("Answer", "回答"),
    "completion": ("Chat completion", "对话补全"),
    "messages": ("Messages", "消息"),
    "metadata": ("Metadata", "元数据"),
    "finish_reason": ("Ended by", "结束原因"),
    "id": ("ID", "ID"),
    "calls_functions": ("calls {names}", "调用 {names}"),
}
