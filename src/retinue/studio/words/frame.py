"""What stands around every page."""

WORDS = {
    "skip": ("Skip to the page's content", "跳到正文"),
    "menu": ("Menu", "菜单"),
    "project": ("Project", "项目"),
    "language": ("中文", "English"),
    "theme": ("Light or dark", "浅色或深色"),
    "account": ("Your account", "我的账号"),
    "navigation": ("Pages", "页面"),
    "use": ("Use", "使用"),
    "build": ("Build", "构建"),
    "watch": ("Watch", "观察"),
    "manage": ("Manage", "管理"),
    "copy": ("Copy", "复制"),
    "copied": ("Copied", "已复制"),
    "close": ("Close", "关闭"),
    "cancel": ("Cancel", "取消"),
    "save": ("Save", "保存"),
    "delete": ("Delete", "删除"),
    "no_rights": ("Your role in this project does not allow this.", "您在此项目中的角色不允许此操作。"),
}
