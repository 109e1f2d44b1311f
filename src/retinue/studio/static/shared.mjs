// Shows what a link leads to: asks the API for the messages, a page at a time.
import { copyClicked, render } from "./rich-text.mjs";

const box = document.getElementById("shared");
const labels = JSON.parse(box.dataset.labels);
const address = `/v1/shares/${encodeURIComponent(box.dataset.token)}/messages?limit=100`;
const language = document.documentElement.lang;

const made = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

function text(part) {
  const element = made("div", { className: "text" });
  const show = () => (element.innerHTML = render(part.text, { citations: [], labels }, show));
  show();
  return element;
}

function image(part) {
  // Pictures from elsewhere would tell others what is read here.
  const own = part.url.startsWith("/") || part.url.startsWith("data:");
  if (own) return made("img", { src: part.url, alt: labels.picture, loading: "lazy" });
  return made("a", { href: part.url, textContent: labels.picture, target: "_blank", rel: "noopener noreferrer nofollow" });
}

function message(one) {
  const time = new Date(one.created_at * 1000);
  const said = time.toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
  const head = made("header", {}, made("h2", { className: "who", textContent: labels[one.role] }));
  head.append(made("time", { dateTime: time.toISOString(), textContent: said }));
  const parts = one.content.map((part) => (part.type === "text" ? text(part) : image(part)));
  return made("article", { className: `message ${one.role}` }, head, ...parts);
}

const status = made("p", { className: "quiet" });
status.setAttribute("role", "status");
const more = made("button", { type: "button", className: "more", textContent: labels.more, hidden: true });
box.replaceChildren(status, more);
box.addEventListener("click", (event) => copyClicked(event, labels));

let after = "";
async function load() {
  more.hidden = true;
  status.textContent = labels.loading;
  try {
    const answer = await fetch(after ? `${address}&after=${after}` : address);
    if (!answer.ok) throw new Error(answer.statusText);
    const page = await answer.json();
    status.before(...page.data.map(message));
    after = page.last_id;
    more.hidden = !page.has_more;
    status.textContent = "";
  } catch {
    status.textContent = labels.failed;
    more.hidden = false;
  }
}
more.addEventListener("click", load);
load();
