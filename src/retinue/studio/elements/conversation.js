// Messages of a thread. Python adds, extends and replaces them; the browser renders them.
export default {
  template: `
    <div class="conversation" ref="box" tabindex="0" role="region" :aria-label="labels.conversation" @click="clicked" @scroll.passive="scrolled">
      <div v-if="!messages.length" class="empty"><slot></slot></div>
      <article v-for="message in messages" :key="message.id" :class="['message', message.role]" :data-id="message.id" :aria-busy="message.streaming ? 'true' : 'false'">
        <header><span class="who">{{ message.name }}</span><time v-if="message.time" :datetime="message.time">{{ clock(message.time) }}</time></header>
        <template v-for="(part, at) in message.parts" :key="at">
          <div v-if="part.type === 'text'" class="text" v-html="html(message, part)"></div>
          <a v-else-if="part.type === 'image'" :href="part.src" target="_blank"><img :src="part.src" :alt="part.alt || labels.picture" loading="lazy"></a>
        </template>
        <p v-if="message.streaming && !message.parts.some((one) => one.text)" class="waiting" role="status"><span class="visually-hidden">{{ labels.waiting }}</span><i></i><i></i><i></i></p>
        <ul v-if="message.files?.length" class="files"><li v-for="file in message.files" :key="file.id"><a :href="file.href" :download="file.name">{{ file.name }}</a></li></ul>
        <p v-if="message.note" :class="['note', message.noteKind]" :role="message.noteKind === 'wrong' ? 'alert' : null">{{ message.note }}</p>
        <footer v-if="!message.streaming && actions[message.role]?.length">
          <button v-for="action in actions[message.role]" :key="action.name" type="button" :title="action.label" :aria-label="action.label" :data-action="action.name"><i class="q-icon material-icons" aria-hidden="true">{{ action.icon }}</i></button>
        </footer>
      </article>
      <p class="status" role="status">{{ doing }}</p>
    </div>`,
  props: { initial: Array, labels: Object, actions: Object },
  data: () => ({ messages: [], rich: null, version: 0, stick: true, doing: "" }),
  async created() {
    this.messages = [...this.initial];
    this.cache = new Map();
    this.rich = Vue.markRaw(await import(`${window.path_prefix ?? ""}/static/rich-text.mjs`));
    this.follow(true);
  },
  methods: {
    html(message, part) {
      if (!this.rich) return "";
      const key = `${this.version}:${part.text}`;
      const kept = this.cache.get(part);
      if (kept?.key === key) return kept.html;
      const env = { citations: part.citations, labels: this.labels };
      const html = this.rich.render(part.text, env, () => this.version++);
      this.cache.set(part, { key, html });
      return html;
    },
    clock: (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }),
    show(messages) {
      this.cache.clear();
      this.messages = messages;
      this.follow(true);
    },
    add(message) {
      this.messages.push(message);
      this.follow(message.role === "user");
    },
    append(id, text) {
      const message = this.messages.find((one) => one.id === id);
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
      if (action === "copy") this.rich.copyText(message.parts.map((one) => one.plain ?? one.text ?? "").join("\n"));
      this.$emit("action", { id: message.id, name: action });
    },
    scrolled() {
      const box = this.$refs.box;
      this.stick = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
    },
    // Heights of messages out of sight are guesses until they are seen, so the end is looked for twice.
    follow(anyway = false) {
      if (anyway) this.stick = true;
      if (!this.stick) return;
      const down = () => this.$refs.box && (this.$refs.box.scrollTop = this.$refs.box.scrollHeight);
      this.$nextTick(() => {
        down();
        requestAnimationFrame(() => this.stick && down());
      });
    },
  },
};
