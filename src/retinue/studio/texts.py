"""The words of the pages for people, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Language = Literal["en", "zh"]

TEXTS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "other": "中文",
        "sign_in": "Sign in",
        "sign_in_hint": "Assistants on your own machines.",
        "provider": "Sign in with your organization",
        "email": "Email address",
        "name": "Name",
        "password": "Password",
        "new_password": "New password",
        "old_password": "Current password",
        "password_hint": "At least 12 characters. A few unrelated words are good.",
        "welcome": "Welcome to Retinue",
        "welcome_first": "You are the first. You will own this server: its projects, keys and people.",
        "welcome_invite": "You were invited. Choose a name and a password.",
        "join": "Begin",
        "account": "Your account",
        "studio": "Back to the studio",
        "role": "Role in the organization",
        "owner": "owner",
        "reader": "reader",
        "member": "member",
        "viewer": "viewer",
        "projects": "Projects",
        "none": "none",
        "change_password": "Change password",
        "change_hint": "You will be signed out everywhere else.",
        "changed": "Your password was changed.",
        "sign_out": "Sign out",
        "failed": "That did not work",
        "back": "Sign in",
        "unsafe": "This page did not come by HTTPS: passwords could be read on their way. So signing in is off.",
    },
    "zh": {
        "other": "English",
        "sign_in": "登录",
        "sign_in_hint": "在自己的机器上运行助手。",
        "provider": "使用组织账号登录",
        "email": "电子邮箱",
        "name": "姓名",
        "password": "密码",
        "new_password": "新密码",
        "old_password": "当前密码",
        "password_hint": "至少 12 个字符。几个互不相关的词就很好。",
        "welcome": "欢迎使用 Retinue",
        "welcome_first": "您是第一位用户，将拥有这台服务器：包括项目、密钥和成员。",
        "welcome_invite": "您已受邀。请填写姓名并设置密码。",
        "join": "开始",
        "account": "我的账号",
        "studio": "返回工作台",
        "role": "在组织中的角色",
        "owner": "所有者",
        "reader": "读者",
        "member": "成员",
        "viewer": "查看者",
        "projects": "项目",
        "none": "无",
        "change_password": "修改密码",
        "change_hint": "您在其他设备上的登录将全部失效。",
        "changed": "密码已修改。",
        "sign_out": "退出登录",
        "failed": "操作未成功",
        "back": "登录",
        "unsafe": "此页面不是通过 HTTPS 打开的，密码在途中可能被读取，因此无法在此登录。",
    },
}

#: What errors say in Chinese, by their code, or else by the field at fault. In English they speak for themselves.
ERRORS_IN_CHINESE: Mapping[str, str] = {
    "wrong_credentials": "邮箱或密码不正确。",
    "rate_limit_exceeded": "尝试次数过多，请稍后再试。",
    "invalid_csrf_token": "表单已失效，请重试。",
    "invalid_session": "您尚未登录，或登录已失效。",
    "link_not_valid": "此链接无效、已被使用或已过期。",
    "not_invited": "这里没有您的账号。请组织的所有者邀请您，并使用身份提供方已验证的邮箱。",
    "sign_in_failed": "通过身份提供方登录失败，请重试。",
    "insecure_connection": "密码只能通过 HTTPS 发送。",
    "password": "密码须为 12 至 256 个字符。",
    "email": "邮箱地址无效，或已有人使用。",
    "name": "姓名须为 1 至 256 个可见字符。",
}


def preferred(accepted: str) -> Language:
    """The language of ours that an `Accept-Language` header asks for; English if it asks for neither."""
    best: tuple[float, Language] = (0.0, "en")
    for entry in accepted[:1000].split(","):
        tag, _, quality = entry.strip().lower().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        if weight > best[0] and tag[:2] in ("en", "zh"):
            best = (weight, "zh" if tag[:2] == "zh" else "en")
    return best[1]
