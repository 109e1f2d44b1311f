"""The page of people."""

WORDS = {
    "title": ("People", "人员"),
    "hint": (
        "An owner may do everything on this server. A reader may do what their roles in projects say. "
        "Another owner can change your own role.",
        "所有者可以管理整台服务器；普通用户的权限取决于其在各项目中的角色。您本人的角色须由其他所有者更改。",
    ),
    "role": ("Role on this server", "在此服务器的角色"),
    "role_of": ("Role of {name}", "{name} 的角色"),
    "you": ("You", "您本人"),
    "projects": ("Projects", "项目"),
    "projects_of": ("Projects of {name}", "{name} 的项目"),
    "projects_hint": (
        "An owner of the server may do everything in every project, whatever stands here. Changes hold at once.",
        "服务器所有者在所有项目中拥有全部权限，不受此处设置影响。更改立即生效。",
    ),
    "not_in": ("Not in this project", "不在此项目中"),
    "remove_question": ("Remove {name} from this server?", "要将 {name} 从此服务器移除吗？"),
    "remove_hint": (
        "They are signed out at once and cannot sign in again. What they made stays in its projects; to erase it too, "
        "use “Erase a person's data” with their id first.",
        "该人员将立即退出登录且无法再次登录。其创建的内容保留在各项目中；如需一并删除，请先用其 ID“清除个人数据”。",
    ),
    "invite": ("Invite", "邀请"),
    "invite_title": ("Invite somebody", "邀请人员"),
    "invite_hint": (
        "No mail is sent: you get a link, and give it to them.",
        "系统不会发送邮件：您将得到一个链接，请自行转交。",
    ),
    "invite_project": ("A project to begin with", "初始项目"),
    "invite_role": ("Role there", "在该项目中的角色"),
    "link_title": ("The invite's link", "邀请链接"),
    "link_hint": (
        "Give this link to {email}. It is never shown again, and is good for one person, once.",
        "请将此链接交给 {email}。链接不会再次显示，且仅可由一人使用一次。",
    ),
    "link": ("Link", "链接"),
    "invites": ("Invites", "邀请"),
    "no_invites": ("No invite is open. Invite somebody with the button above.", "没有邀请。请点击上方按钮邀请人员。"),
    "pending": ("Waiting", "待接受"),
    "accepted": ("Accepted", "已接受"),
    "expired": ("Expired", "已过期"),
    "expires": ("Good until", "有效期至"),
    "withdraw": ("Withdraw", "撤回"),
    "withdraw_of": ("Withdraw the invite of {email}", "撤回对 {email} 的邀请"),
    "erasures": ("Erased data", "数据清除"),
    "erasures_hint": (
        "Erase everything that a person left: threads, messages, runs, files and stored chats that carry their id.",
        "清除某人留下的全部数据：带有其标识的对话、消息、运行、文件和已存储的聊天。",
    ),
    "erase": ("Erase a person's data…", "清除个人数据…"),
    "erase_title": ("Erase a person's data", "清除个人数据"),
    "erase_hint": (
        "This cannot be undone, and no backup of ours brings it back. The account itself stays, and so do usage "
        "figures and this log of erasures.",
        "此操作无法撤销，也无法从本系统恢复。账号本身、用量数据和清除记录会保留。",
    ),
    "erase_user": ("Whose: a person's id, or what programs send as user", "对象：人员 ID，或程序发送的 user 值"),
    "erase_button": ("Erase for ever", "永久清除"),
    "erase_confirm": ("Type the same again to go on", "请再次输入以确认"),
    "erase_differs": ("Both fields must say the same.", "两次输入必须一致。"),
    "erase_started": ("Erasing has begun", "已开始清除"),
    "no_erasures": ("Nobody's data were erased.", "尚无数据清除记录。"),
    "whose": ("Whose", "对象"),
    "forgotten": ("Not kept", "不保留"),
    "in_progress": ("Under way", "进行中"),
    "completed": ("Done", "已完成"),
    "gone": ("Gone", "已清除"),
    "ordered": ("Ordered", "提交时间"),
    "id": ("ID", "ID"),
}
