// The chat of a guest with a GPT. It knows the link's token, and keeps the conversation's secret in this browser only.
import { copyClicked, lastBlock, render } from "./rich-text.mjs";

const facts = JSON.parse(document.body.dataset.facts);
const words = facts.words;
const api = `/v1/guest/${encodeURIComponent(facts.token)}`;
const place = `retinue-guest:${facts.token}`;

const find = (selector) => document.querySelector(selector);
const log = find(".log");
const welcome = find(".welcome");
const form = find("form");
const field = find("textarea");
const button = find("form button");
const problem = find(".wrong");
const status = find("[role=status]");
const latest = find('[data-do="latest"]');
const fresh = find('[data-do="new"]');

let conversation = recalled();
let answering = null;
let following = true;

// Browsers may keep nothing for a page in another site's frame: then a conversation lasts as long as the page.
function recalled() {
  try {
    return JSON.parse(localStorage.getItem(place));
  } catch {
    return null;
  }
}

function remember(value) {
  conversation = value;
  try {
    if (value) localStorage.setItem(place, JSON.stringify(value));
    else localStorage.removeItem(place);
  } catch {
    // See above.
  }
}

function made(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

// --- messages

function addMessage(role, text) {
  welcome.hidden = true;
  fresh.hidden = false;
  const message = made("article", `message ${role}`);
  message.append(made("span", "visually-hidden", role === "user" ? words.you : facts.name));
  const body = made("div", "text", role === "user" ? text : undefined);
  message.append(body);
  log.append(message);
  return { message, body };
}

function showAnswer(body, text) {
  body.innerHTML = render(text, { labels: words }, () => showAnswer(body, text));
}

// An answer that grows: what stands before its last block is rendered once.
class Growing {
  constructor({ message, body }) {
    this.message = message;
    this.body = body;
    this.text = "";
    this.done = 0;
    this.waiting = false;
    message.setAttribute("aria-busy", "true");
    this.dots = made("p", "dots");
    this.dots.append(made("i"), made("i"), made("i"));
    message.append(this.dots);
  }
  add(text) {
    if (!text) return;
    this.dots.remove();
    this.text += text;
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => this.draw());
  }
  draw() {
    this.waiting = false;
    if (this.ended) return;
    const env = { labels: words };
    const closed = lastBlock(this.text.slice(this.done));
    if (closed > 0) {
      this.tail?.remove();
      this.tail = null;
      const piece = made("div", "piece");
      piece.innerHTML = render(this.text.slice(this.done, this.done + closed), env, () => {});
      this.body.append(piece);
      this.done += closed;
    }
    if (!this.tail) this.body.append((this.tail = made("div", "piece")));
    this.tail.innerHTML = render(this.text.slice(this.done), env, () => {});
    follow();
  }
  end(note) {
    this.ended = true;
    this.dots.remove();
    showAnswer(this.body, this.text);
    if (note) this.message.append(made("p", "note", note));
    this.message.setAttribute("aria-busy", "false");
    if (!this.text && !note) this.message.remove();
    follow();
  }
}

function follow(force = false) {
  if (force) following = true;
  if (following) log.scrollTop = log.scrollHeight;
  latest.hidden = following;
}

function fail(code, again) {
  problem.replaceChildren(made("span", "", words[`error_${code}`] ?? words.error));
  if (code === "conversation_full") {
    problem.append(action(words.new, begin));
  } else if (again && code !== "guest_link_not_valid") {
    problem.append(action(words.again, again));
  }
}

function action(text, act) {
  const element = made("button", "", text);
  element.type = "button";
  element.addEventListener("click", act);
  return element;
}

// --- asking

class Refused extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

async function ask(method, path, body, signal) {
  let response;
  try {
    const headers = { ...(body ? { "content-type": "application/json" } : {}) };
    if (conversation) headers.authorization = `Bearer ${conversation.secret}`;
    response = await fetch(api + path, { method, headers, signal, body: body && JSON.stringify(body), credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("network");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => null);
  throw new Refused(told?.error?.code ?? "network");
}

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const whole = text.split("\n\n");
    text = whole.pop();
    for (const one of whole) {
      const lines = one.split("\n").filter((line) => !line.startsWith(":"));
      const of = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      if (of("data")) yield { name: of("event"), data: JSON.parse(of("data")) };
    }
  }
}

async function hear(response, answer) {
  for await (const { name, data } of events(response)) {
    if (name === "delta") answer.add(data.text);
    else if (name === "error") throw new Refused(data.code);
    else if (name === "done") return data.finish_reason === "length" ? words.cut : "";
  }
  throw new Refused("network");
}

async function send(text) {
  problem.replaceChildren();
  const stopping = new AbortController();
  answering = stopping;
  const said = addMessage("user", text);
  const answer = new Growing(addMessage("assistant"));
  showState();
  status.textContent = words.waiting;
  follow(true);
  try {
    if (!conversation) remember(await (await ask("POST", "/conversations", undefined, stopping.signal)).json());
    const path = `/conversations/${conversation.id}/messages`;
    answer.end(await hear(await ask("POST", path, { text, stream: true }, stopping.signal), answer));
    status.textContent = "";
  } catch (error) {
    status.textContent = "";
    if (stopping.signal.aborted) {
      answer.end(words.stopped);
    } else {
      answer.end("");
      if (!(error instanceof Refused)) console.error(error);
      if (error.code === "conversation_not_found") remember(null);
      fail(error.code ?? "network", () => {
        if (!answer.text) said.message.remove();
        send(text);
        field.focus();
      });
    }
  } finally {
    if (answering === stopping) answering = null;
    showState();
  }
}

function showState() {
  button.textContent = answering ? words.stop : words.send;
  button.disabled = !answering && !field.value.trim();
}

function submit() {
  const text = field.value.trim();
  if (answering || !text) return;
  field.value = "";
  grow();
  send(text);
  field.focus();
}

function begin() {
  answering?.abort();
  remember(null);
  problem.replaceChildren();
  log.querySelectorAll(".message").forEach((one) => one.remove());
  welcome.hidden = false;
  fresh.hidden = true;
  following = true;
  latest.hidden = true;
  field.focus();
}

function grow() {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
  showState();
}

function close() {
  if (facts.embedded) parent.postMessage({ retinue: "close" }, "*");
}

// --- what people do

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (answering) answering.abort();
  else submit();
});
field.addEventListener("input", grow);
field.addEventListener("keydown", (event) => {
  // While Chinese is being composed, Enter chooses a word.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  submit();
});
log.addEventListener("scroll", () => {
  following = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  latest.hidden = following;
});
document.addEventListener("click", (event) => {
  if (copyClicked(event, words)) return;
  const starter = event.target.closest(".starters button");
  if (starter && !answering) {
    send(starter.textContent);
    field.focus();
  }
  const wanted = event.target.closest("[data-do]")?.dataset.do;
  if (wanted === "new") begin();
  if (wanted === "close") close();
  if (wanted === "latest") follow(true);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing) close();
});

async function restore() {
  try {
    const { data } = await (await ask("GET", `/conversations/${conversation.id}/messages`)).json();
    for (const one of data) {
      const { body } = addMessage(one.role, one.text);
      if (one.role === "assistant") showAnswer(body, one.text);
    }
    follow(true);
  } catch (error) {
    if (error.code === "conversation_not_found") remember(null);
    else fail(error.code ?? "network");
  }
}

if (facts.embedded) parent.postMessage({ retinue: "ready" }, "*");
if (conversation) await restore();
// Served disabled: nobody asks before somebody listens, nor above what was said before.
for (const one of [field, ...document.querySelectorAll(".starters button")]) one.disabled = false;
showState();
if (!facts.embedded || document.hasFocus()) field.focus({ preventScroll: true });
