// Tokens one by one: arrow keys, pointer and touch choose one, of which more is told below.
export default {
  template: `
    <div class="tokens">
      <div class="tokens-box" ref="box" tabindex="0" role="listbox" :aria-label="label" :aria-activedescendant="at < 0 ? null : name(at)" @keydown="moved" @mouseover="pointed" @click="pointed">
        <span v-for="(token, i) in tokens" :key="i" :id="name(i)" :data-i="i" role="option" :aria-selected="i === at ? 'true' : 'false'" :aria-label="token.say" :class="['token', token.kind, { number: token.number, at: i === at }]"><template v-if="token.bytes"><b v-if="token.whole">{{ token.whole }}</b><small>{{ token.bytes }}</small></template><template v-else v-for="(part, j) in parts(token.text)" :key="j"><i v-if="marks[part]" :data-mark="marks[part]">{{ part }}</i><template v-else>{{ part }}</template></template></span>
      </div>
      <div class="token-more" role="status">
        <template v-if="at >= 0 && tokens[at]">
          <span>{{ tokens[at].say }}</span>
          <table v-if="tokens[at].others?.length"><thead class="visually-hidden"><tr><th v-for="column in columns" :key="column" scope="col">{{ column }}</th></tr></thead>
            <tbody><tr v-for="(other, i) in tokens[at].others" :key="i" :class="{ taken: other.taken }"><td class="mono">{{ shown(other.text) }}</td><td class="bar-cell"><span :style="{ width: other.percent + '%' }"></span></td><td>{{ other.share }}</td><td class="quiet">{{ other.log }}</td></tr></tbody></table>
        </template>
        <span v-else class="quiet">{{ hint }}</span>
      </div>
    </div>`,
  props: { tokens: Array, label: String, hint: String, columns: Array },
  data: () => ({ at: -1, marks: { " ": "·", "\n": "↵", "\t": "→", "\r": "␍" } }),
  watch: {
    tokens() {
      this.at = -1;
    },
  },
  methods: {
    name(i) {
      return `token-${this.$.uid}-${i}`;
    },
    parts: (text) => text.split(/([ \n\t\r])/).filter((part) => part),
    shown(text) {
      return text.replace(/[ \n\t\r]/g, (c) => this.marks[c]);
    },
    pointed(event) {
      const token = event.target.closest("[data-i]");
      if (token) this.at = Number(token.dataset.i);
    },
    moved(event) {
      const last = this.tokens.length - 1;
      const to = { ArrowRight: this.at + 1, ArrowDown: this.at + 1, ArrowLeft: this.at - 1, ArrowUp: this.at - 1, Home: 0, End: last }[event.key];
      if (to === undefined || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      this.at = Math.max(0, Math.min(last, to));
      this.$refs.box.querySelector(`[data-i="${this.at}"]`)?.scrollIntoView({ block: "nearest" });
    },
  },
};
