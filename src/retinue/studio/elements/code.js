export default {
  template: `<div class="text" v-html="html" @click="(event) => rich?.copyClicked(event, labels)"></div>`,
  props: { code: String, language: String, labels: Object },
  data: () => ({ rich: null }),
  async created() {
    this.rich = Vue.markRaw(await import(`${window.path_prefix ?? ""}/static/rich-text.mjs`));
  },
  computed: {
    html() {
      return this.rich ? this.rich.codeBlock(this.code, this.language, this.labels) : "";
    },
  },
};
