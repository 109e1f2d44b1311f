"""Words of the dialog with a GPT's guest links."""

WORDS = {
    "title": ("Guest links and widget", "访客链接与网页插件"),
    "hint": (
        "Whoever has a guest link talks with the published version, without an account. Guests see its answers, never "
        "its instructions or files. What they use counts for this project.",
        "持有访客链接的人无需账号即可与已发布的版本对话。访客只能看到回答，看不到指令和文件。其用量计入本项目。",
    ),
    "empty": ("There are no guest links yet.", "还没有访客链接。"),
    "new": ("New guest link", "新建访客链接"),
    "name": ("What it is for", "用途"),
    "unnamed": ("Guest link", "访客链接"),
    "sites": ("Sites that may embed it, one a line", "允许嵌入的网站，每行一个"),
    "sites_hint": (
        "Such as https://example.com. None: it can be opened, and embedded nowhere.",
        "例如 https://example.com。留空则只能直接打开，不能嵌入任何网站。",
    ),
    "expires": ("Good for", "有效期"),
    "forever": ("until it is deleted", "直到删除"),
    "day": ("a day", "一天"),
    "week": ("a week", "一周"),
    "month": ("30 days", "30 天"),
    "year": ("a year", "一年"),
    "max_conversations": ("Conversations, in all", "对话总数"),
    "max_messages": ("Messages in a conversation", "每个对话的消息数"),
    "max_messages_per_day": ("Messages a day", "每天的消息数"),
    "max_spend_per_day": ("Dollars a day (empty: no limit)", "每天的美元上限（留空不限）"),
    "create": ("Make link", "创建链接"),
    "link": ("Link", "链接"),
    "snippet": ("For your site", "嵌入代码"),
    "copy_link": ("Copy link", "复制链接"),
    "copy_snippet": ("Copy code", "复制嵌入代码"),
    "used": (
        "{conversations} conversations, {messages} messages today",
        "共 {conversations} 个对话，今天 {messages} 条消息",
    ),
    "until": ("until {time}", "有效至 {time}"),
    "no_sites": ("cannot be embedded", "不能嵌入"),
    "delete": ("Delete", "删除"),
    "delete_title": ("Delete this guest link?", "删除此访客链接？"),
    "delete_hint": (
        "Whoever has it can talk with the GPT no more. Their conversations stay until their time is over.",
        "持有此链接的人将无法继续对话。已有对话保留到期限届满。",
    ),
    "unreadable": (
        "This link cannot be shown: the server's secret key was another one when it was made. It works nevertheless.",
        "无法显示此链接：创建时服务器使用的是另一个密钥。链接本身仍然有效。",
    ),
    "not_published": (
        "Publish the GPT first: guests talk with what was published.",
        "请先发布 GPT：访客只能与已发布的版本对话。",
    ),
}
