"""Groups of people, on the page of people."""

WORDS = {
    "title": ("Groups", "群组"),
    "hint": (
        "A GPT can be shared with a group: whoever is in it uses the GPT, from when they come until they go.",
        "GPT 可以共享给群组：成员加入即可使用，移出后随即不能使用。",
    ),
    "make": ("New group", "新建群组"),
    "make_title": ("New group", "新建群组"),
    "make_button": ("Make the group", "创建"),
    "none": (
        "There are no groups. Make one to share GPTs with several people at once.",
        "还没有群组。新建一个群组，即可将 GPT 一次共享给多人。",
    ),
    "name": ("Name of the group", "群组名称"),
    "people": ("People", "成员"),
    "people_of": ("People of {name}", "“{name}”的成员"),
    "count": ("People", "成员数"),
    "rename": ("Rename", "重命名"),
    "rename_of": ("Rename the group {name}", "重命名群组“{name}”"),
    "rename_button": ("Rename", "重命名"),
    "delete_of": ("Delete the group {name}", "删除群组“{name}”"),
    "delete_question": ("Delete the group {name}?", "要删除群组“{name}”吗？"),
    "delete_hint": (
        "Its people stay. What was shared with this group, they use no more. This cannot be undone.",
        "成员本身不受影响，但不能再使用共享给该群组的内容。此操作无法撤销。",
    ),
    "add": ("Add somebody", "添加成员"),
    "add_button": ("Add", "添加"),
    "choose": ("Choose a person first.", "请先选择人员。"),
    "everybody": ("Everybody is in this group.", "所有人员都已在此群组中。"),
    "empty": ("Nobody is in this group yet. Choose somebody below.", "此群组还没有成员，请在下方选择。"),
    "take_out": ("Take out", "移出"),
    "take_out_of": ("Take {name} out of the group", "将 {name} 移出群组"),
}
