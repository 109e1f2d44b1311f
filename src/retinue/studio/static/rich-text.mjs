// Markdown with tables, maths and highlighted code, as HTML that is safe to show: text of models is never taken for HTML.
import MarkdownIt from "./vendor/markdown-it.mjs";
import cjkFriendly from "./vendor/markdown-it-cjk-friendly.mjs";
import highlight from "./vendor/highlight.mjs";

const escape = (text) => text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

function highlighted(code, language) {
  // Highlighting is worth its time only where somebody will read it.
  if (code.length > 50_000) return escape(code);
  if (language && highlight.getLanguage(language)) return highlight.highlight(code, { language, ignoreIllegals: true }).value;
  return escape(code);
}

/** A block of code with its language and a button that copies it. */
export function codeBlock(code, language, labels) {
  const name = escape(language || "");
  return (
    `<div class="code-block"><div class="code-head"><span>${name}</span>` +
    `<button type="button" data-copy>${escape(labels.copy)}</button></div>` +
    `<pre tabindex="0"><code>${highlighted(code, language)}</code></pre></div>\n`
  );
}

// Python puts citations into the text as U+E000, their number, U+E001.
function citations(md) {
  // In texts that are cut already: the inline rule for text would run over these characters.
  md.core.ruler.push("citation", (state) => {
    for (const token of state.tokens) {
      if (!token.children?.some((one) => one.type === "text" && one.content.includes("\ue000"))) continue;
      token.children = token.children.flatMap((one) => (one.type === "text" ? cut(one, state.Token) : [one]));
    }
  });
  md.renderer.rules.citation = (tokens, at, options, env) => {
    const number = Number(tokens[at].content);
    const source = env.citations?.find((one) => one.number === number);
    const label = escape(`${env.labels.source} ${number}: ${source?.name ?? ""}`);
    return `<button type="button" class="cite" data-cite="${number}" aria-label="${label}" title="${label}">${number}</button>`;
  };
}

function cut(token, Token) {
  return token.content.split(/\ue000(\d{1,4})\ue001/).map((content, at) => {
    const piece = new Token(at % 2 ? "citation" : "text", "", 0);
    return Object.assign(piece, { content, level: token.level });
  });
}

function made(plugins) {
  const md = new MarkdownIt({ html: false, linkify: true, breaks: true });
  md.use(cjkFriendly).use(citations);
  plugins.forEach(([plugin, options]) => md.use(plugin, options));
  md.linkify?.set?.({ fuzzyLink: false, fuzzyEmail: false });
  const rules = md.renderer.rules;
  rules.fence = rules.code_block = (tokens, at, options, env) =>
    codeBlock(tokens[at].content.replace(/\n$/, ""), tokens[at].info.trim().split(/\s+/)[0], env.labels);
  rules.table_open = () => '<div class="table-wrap" tabindex="0"><table>';
  rules.table_close = () => "</table></div>";
  // Pictures from elsewhere would tell others what is read here: they are links.
  rules.image = (tokens, at) => {
    const source = escape(tokens[at].attrGet("src") ?? "");
    return `<a href="${source}" target="_blank" rel="noopener noreferrer nofollow">${escape(tokens[at].content) || source}</a>`;
  };
  rules.link_open = (tokens, at, options, env, self) => {
    tokens[at].attrSet("target", "_blank");
    tokens[at].attrSet("rel", "noopener noreferrer nofollow");
    return self.renderToken(tokens, at, options);
  };
  return md;
}

let plain = null;
let mathematical = null;
let loading = null;

function script(address) {
  return new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement("script"), { src: address, onload: resolve, onerror: reject });
    document.head.append(element);
  });
}

function loadMath() {
  const base = new URL("./vendor/", import.meta.url).href;
  document.head.append(
    Object.assign(document.createElement("link"), { rel: "stylesheet", href: `${base}katex/katex.min.css` }),
  );
  return Promise.all([script(`${base}katex/katex.min.js`), script(`${base}texmath.js`)]).then(() => {
    const options = { engine: globalThis.katex, delimiters: ["dollars", "brackets"], katexOptions: { throwOnError: false } };
    mathematical = made([[globalThis.texmath, options]]);
  });
}

/**
 * Text as HTML.
 * @param {string} text Markdown.
 * @param {{citations?: {number: number, name: string}[], labels: {copy: string, copied: string, source: string}}} env
 * @param {() => void} again called when the text should be rendered again, since what it needs has been loaded.
 */
export function render(text, env, again) {
  if (!mathematical && /\$|\\\(|\\\[/.test(text)) {
    loading ??= loadMath();
    loading.then(again, () => {});
  }
  plain ??= made([]);
  return (mathematical ?? plain).render(text, env);
}

/**
 * Where the last block of a text begins; 0 if there is only one. What stands before it no longer changes when text is
 * added at the end.
 * @param {string} text Markdown.
 */
export function lastBlock(text) {
  plain ??= made([]);
  const md = mathematical ?? plain;
  const state = new md.block.State(text, md, {}, []);
  md.block.tokenize(state, 0, state.lineMax);
  const starts = state.tokens.filter((one) => one.level === 0 && one.map && one.nesting >= 0);
  const last = starts.length > 1 ? starts.at(-1).map[0] : 0;
  return last > 0 ? state.bMarks[last] : 0;
}

/** Copies the code whose button was clicked, if one was. */
export function copyClicked(event, labels) {
  const button = event.target.closest("[data-copy]");
  if (!button) return false;
  copyText(button.closest(".code-block").querySelector("code").textContent);
  button.textContent = labels.copied;
  setTimeout(() => (button.textContent = labels.copy), 1500);
  return true;
}

/** Puts text on the clipboard, also where pages did not come by HTTPS. */
export function copyText(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = Object.assign(document.createElement("textarea"), { value: text });
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
