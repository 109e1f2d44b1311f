"""Uploading files."""

WORDS = {
    "pick": ("Upload files", "上传文件"),
    "drop": ("or drop them here", "或拖放到此处"),
    "clear": ("Clear", "清除列表"),
    "cancel": ("Cancel", "取消"),
    "waiting": ("waiting", "等待中"),
    "done": ("uploaded", "已上传"),
    "cancelled": ("cancelled", "已取消"),
    "lost": (
        "The upload broke off. Check the connection and try again.",
        "上传中断，请检查网络后重试。",
    ),
    "summary": ("{done} of {all} files uploaded", "已上传 {done}/{all} 个文件"),
}
