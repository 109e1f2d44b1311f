"""What went wrong, where the API's own words do not say it."""

WORDS = {
    "signed_out": ("You are signed out. Please sign in again.", "您已退出登录，请重新登录。"),
    "no_answer": ("The server did not answer. Please try again.", "服务器没有响应，请重试。"),
    "unexpected": ("Something went wrong here. The server's log says what.", "出现意外错误，详情见服务器日志。"),
    "no_page": ("Not found", "未找到"),
    "not_found": ("There is no such page, or it is not yours to see.", "页面不存在，或您无权查看。"),
    "refused": ("The server refused: {message}", "服务器拒绝了请求：{message}"),
}
