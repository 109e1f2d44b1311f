// Messages of a thread. Python adds, extends and replaces them; the browser renders them.
export default {
  template: `
    <div class="conversation-frame">
    <div class="conversation" ref="box" tabindex="0" role="region" :aria-label="labels.conversation" @click="clicked" @scroll.passive="scrolled">
      <div ref="inner">
      <div v-if="!messages.length" class="empty"><slot></slot></div>
      <p v-if="older" class="older"><button type="button" :disabled="asking" @click.stop="askOlder">{{ asking ? labels.loading : labels.older }}</button></p>
      <article v-for="message in messages" :key="message.id" v-memo="memo(message)" :class="['message', message.role]" :data-id="message.id" :aria-busy="message.streaming ? 'true' : 'false'">
        <header><span class="who">{{ message.name }}</span><time v-if="message.time" :datetime="message.time">{{ clock(message.time) }}</time></header>
        <template v-for="(part, at) in message.parts" :key="at">
          <div v-if="part.type === 'text' && message.streaming" class="text"><div v-for="(piece, n) in pieces(part)" :key="n" class="piece" v-html="piece"></div></div>
          <div v-else-if="part.type === 'text'" class="text" v-html="html(message, part)"></div>
          <a v-else-if="part.type === 'image'" :href="part.src" target="_blank"><img :src="part.src" :alt="part.alt || labels.picture" loading="lazy"></a>
        </template>
        <p v-if="message.streaming && !message.parts.some((one) => one.text)" class="waiting" role="status"><span class="visually-hidden">{{ labels.waiting }}</span><i></i><i></i><i></i></p>
        <ul v-if="message.files?.length" class="files"><li v-for="file in message.files" :key="file.id"><a :href="file.href" :download="file.name">{{ file.name }}</a></li></ul>
        <p v-if="message.note" :class="['note', message.noteKind]" :role="message.noteKind === 'wrong' ? 'alert' : null">{{ message.note }}</p>
        <ol v-if="cited(message).length" class="sources" :aria-label="labels.sources"><li v-for="one in cited(message)" :key="one.number"><button type="button" :data-cite="one.number"><b>{{ one.number }}</b> {{ one.name }}</button></li></ol>
        <footer v-if="!message.streaming && (actions[message.role]?.length || message.actions?.length || message.branch || message.links?.length)">
          <span v-if="message.branch" class="branch" role="group" :aria-label="labels.branches">
            <button type="button" data-action="previous" :disabled="message.branch.number < 2" :title="labels.previous" :aria-label="labels.previous"><i class="q-icon material-icons" aria-hidden="true">chevron_left</i></button>
            <span>{{ message.branch.number }} / {{ message.branch.count }}</span>
            <button type="button" data-action="next" :disabled="message.branch.number >= message.branch.count" :title="labels.next" :aria-label="labels.next"><i class="q-icon material-icons" aria-hidden="true">chevron_right</i></button>
          </span>
          <a v-for="link in message.links" :key="link.href" :href="link.href" :title="link.label"><i class="q-icon material-icons" aria-hidden="true">{{ link.icon }}</i> <span>{{ link.label }}</span></a>
          <button v-for="action in [...(actions[message.role] ?? []), ...(message.actions ?? [])]" :key="action.name" type="button" :title="action.label" :aria-label="action.label" :data-action="action.name" :aria-pressed="action.toggle ? String(Boolean(message.marked?.includes(action.name))) : null"><i class="q-icon material-icons" aria-hidden="true">{{ action.icon }}</i></button>
        </footer>
      </article>
      <p class="status" role="status">{{ doing }}</p>
      </div>
    </div>
    <button v-show="!stick && messages.length" type="button" class="latest" :title="labels.latest" :aria-label="labels.latest" @click="follow(true)"><i class="q-icon material-icons" aria-hidden="true">arrow_downward</i></button>
    </div>`,
  props: { initial: Array, labels: Object, actions: Object, more: Boolean },
  data: () => ({ messages: [], rich: null, version: 0, stick: true, doing: "", older: false, asking: false }),
  async created() {
    this.messages = [...this.initial];
    this.older = this.more;
    this.cache = new Map();
    this.rich = Vue.markRaw(await import(`${window.path_prefix ?? ""}/static/rich-text.mjs`));
    this.follow(true);
  },
  mounted() {
    // Pictures, formulas and messages that come into sight change their heights late.
    this.observer = new ResizeObserver(() => this.stick && this.down());
    this.observer.observe(this.$refs.inner);
  },
  beforeUnmount() {
    this.observer.disconnect();
  },
  methods: {
    // What a message looks like depends on these; while one grows, the others are left as they are.
    memo(message) {
      const grown = message.streaming ? message.parts.reduce((sum, one) => sum + (one.text?.length ?? 0), 0) : 0;
      return [message, grown, this.version, this.rich !== null];
    },
    html(message, part) {
      if (!this.rich) return "";
      const key = `${this.version}:${part.text}`;
      const kept = this.cache.get(part);
      if (kept?.key === key) return kept.html;
      const html = this.rich.render(part.text, this.env(part), () => this.version++);
      this.cache.set(part, { key, html });
      return html;
    },
    env(part) {
      return { citations: part.citations, labels: this.labels };
    },
    // A text that grows: what stands before its last block is rendered once.
    pieces(part) {
      if (!this.rich) return [];
      let kept = this.cache.get(part);
      if (!kept?.pieces || kept.version !== this.version) {
        kept = { version: this.version, pieces: [], done: 0 };
        this.cache.set(part, kept);
      }
      const again = () => this.version++;
      const tail = part.text.slice(kept.done);
      const closed = this.rich.lastBlock(tail);
      if (closed > 0) {
        kept.pieces.push(this.rich.render(tail.slice(0, closed), this.env(part), again));
        kept.done += closed;
      }
      return [...kept.pieces, this.rich.render(part.text.slice(kept.done), this.env(part), again)];
    },
    cited: (message) => message.parts.flatMap((part) => part.citations ?? []),
    clock: (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }),
    show(messages, more) {
      this.cache.clear();
      this.messages = messages;
      this.older = Boolean(more);
      this.asking = false;
      this.follow(true);
    },
    prepend(messages, more) {
      const box = this.$refs.box;
      const [height, top] = [box.scrollHeight, box.scrollTop];
      this.messages.unshift(...messages);
      this.older = Boolean(more);
      this.$nextTick(() => {
        box.scrollTop = top + box.scrollHeight - height;
        this.asking = false;
      });
    },
    askedInVain() {
      this.asking = false;
    },
    askOlder() {
      if (this.asking) return;
      this.asking = true;
      this.$emit("older");
    },
    add(message) {
      this.messages.push(message);
      this.follow(message.role === "user");
    },
    append(id, text) {
      const message = this.messages.findLast((one) => one.id === id);
      if (!message) return;
      const last = message.parts.at(-1);
      if (last?.type === "text") last.text += text;
      else message.parts.push({ type: "text", text });
      this.follow();
    },
    replace(id, message) {
      const at = this.messages.findIndex((one) => one.id === id);
      if (at < 0) this.messages.push(message);
      else this.messages.splice(at, 1, message);
      this.follow();
    },
    status(text) {
      this.doing = text;
      this.follow();
    },
    drop(id) {
      this.messages = this.messages.filter((one) => one.id !== id);
    },
    dropNotes() {
      this.messages = this.messages.filter((one) => one.role !== "note");
    },
    reveal(id) {
      this.stick = false;
      this.$refs.box.querySelector(`[data-id="${CSS.escape(id)}"]`)?.scrollIntoView({ block: "center" });
    },
    clicked(event) {
      if (this.rich?.copyClicked(event, this.labels)) return;
      const message = this.messages.find((one) => one.id === event.target.closest("article")?.dataset.id);
      const cite = event.target.closest("[data-cite]");
      const action = event.target.closest("[data-action]")?.dataset.action;
      if (message && cite) this.$emit("cite", { id: message.id, number: Number(cite.dataset.cite) });
      if (!message || !action) return;
      if (action === "copy") {
        this.rich.copyText(message.parts.map((one) => one.plain ?? one.text ?? "").join("\n"));
        const icon = event.target.closest("[data-action]").querySelector("i");
        icon.textContent = "check";
        setTimeout(() => (icon.textContent = "content_copy"), 1500);
      }
      this.$emit("action", { id: message.id, name: action });
    },
    scrolled() {
      const box = this.$refs.box;
      this.stick = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
      if (this.older && !this.stick && box.scrollTop < 600) this.askOlder();
    },
    down() {
      if (this.$refs.box) this.$refs.box.scrollTop = this.$refs.box.scrollHeight;
    },
    // Heights of messages out of sight are guesses until they are seen, so the end is looked for twice.
    follow(anyway = false) {
      if (anyway) this.stick = true;
      if (!this.stick) return;
      this.$nextTick(() => {
        this.down();
        requestAnimationFrame(() => this.stick && this.down());
      });
    },
  },
};
