// One answer of a model, as it comes: thoughts, Markdown, calls of tools.
export default {
  template: `
    <div class="answer" :aria-busy="busy ? 'true' : 'false'" @click="(event) => rich?.copyClicked(event, labels)">
      <details v-if="thoughts"><summary>{{ labels.thoughts }}</summary><div class="thoughts">{{ thoughts }}</div></details>
      <div v-if="text" class="text" v-html="html"></div>
      <div v-for="(call, i) in calls" :key="i" class="call"><div><span class="quiet">{{ labels.call }}</span> <code>{{ call.name }}</code> <span class="quiet mono">{{ call.id }}</span></div><div class="text" v-html="arguments_(call)"></div></div>
      <p v-if="busy && !text && !thoughts && !calls.length" class="waiting"><span class="visually-hidden">{{ labels.waiting }}</span><i></i><i></i><i></i></p>
    </div>`,
  props: { initial: Object, labels: Object },
  data: () => ({ text: "", thoughts: "", calls: [], busy: false, rich: null, version: 0 }),
  async created() {
    Object.assign(this, this.initial);
    this.rich = Vue.markRaw(await import(`${window.path_prefix ?? ""}/static/rich-text.mjs`));
  },
  computed: {
    html() {
      return this.rich && this.version >= 0 ? this.rich.render(this.text, { labels: this.labels }, () => this.version++) : "";
    },
  },
  methods: {
    arguments_(call) {
      let shown = call.arguments;
      try {
        shown = JSON.stringify(JSON.parse(shown), null, 2);
      } catch {
        // As it came: it is not complete, or no JSON.
      }
      return this.rich ? this.rich.codeBlock(shown, "json", this.labels) : "";
    },
    append(pieces) {
      this.text += pieces.text ?? "";
      this.thoughts += pieces.thoughts ?? "";
    },
    set(fields) {
      Object.assign(this, fields);
    },
  },
};
