// A button on another site that opens the chat with a GPT in a frame:
// <script src="https://HOST/widget.js" data-gpt="TOKEN" async></script>
(() => {
  "use strict";
  const script = document.currentScript;
  const token = script?.dataset.gpt;
  if (!token) {
    console.error("widget.js needs data-gpt: the token of a guest link.");
    return;
  }
  const options = script.dataset;
  const language = options.lang || document.documentElement.lang || navigator.language || "en";
  const chinese = language.toLowerCase().startsWith("zh");
  const words = chinese
    ? { open: "打开对话", close: "关闭对话", chat: "对话", refused: "无法在此页面显示对话。", elsewhere: "在新标签页中打开" }
    : { open: "Open the chat", close: "Close the chat", chat: "Chat", refused: "The chat cannot be shown on this page.", elsewhere: "Open it in a new tab" };
  const page = new URL(`g/${encodeURIComponent(token)}`, script.src);
  const framed = new URL(page);
  framed.searchParams.set("embedded", "1");
  if (options.lang) page.searchParams.set("lang", chinese ? "zh" : "en");
  if (options.lang) framed.searchParams.set("lang", chinese ? "zh" : "en");
  const side = options.side === "left" ? "left" : "right";

  const style = new CSSStyleSheet();
  style.replaceSync(`
    :host { all: initial; }
    button.open { position: fixed; bottom: 20px; ${side}: 20px; z-index: 2147483000; width: 56px; height: 56px; padding: 0; border: 0; border-radius: 50%; background: #7a4b00; color: #fff; cursor: pointer; box-shadow: 0 2px 10px rgb(0 0 0 / .3); overflow: hidden; font: 600 26px/1 system-ui, sans-serif; }
    button.open img { width: 100%; height: 100%; object-fit: cover; display: block; }
    button.open[aria-expanded=true] img, button.open:not([aria-expanded=true]) span { display: none; }
    button.open:focus-visible, a:focus-visible { outline: 3px solid #e0a94f; outline-offset: 3px; }
    .panel { position: fixed; bottom: 90px; ${side}: 20px; z-index: 2147483000; width: min(400px, calc(100vw - 40px)); height: min(640px, calc(100dvh - 110px)); border-radius: 14px; overflow: hidden; background: #fbfbf9; border: 1px solid #dcdcd5; box-shadow: 0 6px 30px rgb(0 0 0 / .25); }
    .panel[hidden] { display: none; }
    iframe[hidden] { display: none; }
    iframe:not([hidden]) { width: 100%; height: 100%; border: 0; display: block; }
    .refused { box-sizing: border-box; height: 100%; padding: 24px; display: grid; place-content: center; gap: 8px; text-align: center; font: 15px/1.6 system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; color: #1c1c1f; }
    .refused p { margin: 0; } .refused a { color: #7a4b00; }
    @media (prefers-color-scheme: dark) { .panel { background: #161618; border-color: #37373d; } .refused { color: #ececee; } .refused a { color: #e0a94f; } }
    @media (max-width: 480px) { .panel { inset: 0; width: auto; height: auto; border: 0; border-radius: 0; } button.open[aria-expanded=true] { display: none; } }
  `);

  const host = document.createElement("retinue-chat");
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [style];
  const button = Object.assign(document.createElement("button"), { type: "button", className: "open" });
  const picture = Object.assign(document.createElement("img"), { alt: "" });
  picture.src = new URL(`v1/guest/${encodeURIComponent(token)}/picture`, script.src);
  const cross = Object.assign(document.createElement("span"), { textContent: "×" });
  cross.setAttribute("aria-hidden", "true");
  button.append(picture, cross);
  const panel = Object.assign(document.createElement("div"), { className: "panel", id: "panel", hidden: true });
  panel.setAttribute("role", "dialog");
  panel.setAttribute("aria-label", options.label || words.chat);
  button.setAttribute("aria-controls", "panel");
  root.append(button, panel);

  let frame = null;
  let ready = false;
  let told = null;

  function load() {
    frame = document.createElement("iframe");
    frame.title = options.label || words.chat;
    frame.allow = "clipboard-write";
    // A frame that is refused says so by silence only.
    frame.addEventListener("load", () => setTimeout(() => ready || refuse(), 2000));
    frame.src = framed;
    panel.replaceChildren(frame);
  }

  function refuse() {
    told = Object.assign(document.createElement("div"), { className: "refused" });
    const link = Object.assign(document.createElement("a"), { textContent: words.elsewhere, target: "_blank", rel: "noopener" });
    link.href = page;
    told.append(Object.assign(document.createElement("p"), { textContent: words.refused }), link);
    // On a slow machine the chat may come late all the same.
    frame.hidden = true;
    panel.append(told);
  }

  function show(open) {
    if (open && !frame) load();
    panel.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    button.setAttribute("aria-label", open ? words.close : options.label || words.open);
    if (open) frame.focus();
    else button.focus();
  }

  button.addEventListener("click", () => show(panel.hidden));
  root.addEventListener("keydown", (event) => event.key === "Escape" && !panel.hidden && show(false));
  addEventListener("message", (event) => {
    if (!frame || event.source !== frame.contentWindow || event.origin !== page.origin) return;
    if (event.data?.retinue === "ready") {
      ready = true;
      told?.remove();
      frame.hidden = false;
      if (!panel.hidden) frame.focus();
    }
    if (event.data?.retinue === "close") show(false);
  });
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("aria-label", options.label || words.open);
  const attach = () => document.body.append(host);
  if (document.body) attach();
  else addEventListener("DOMContentLoaded", attach);
})();
