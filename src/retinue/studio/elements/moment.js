export default {
  template: `<time :datetime="iso" :title="whole">{{ text }}</time>`,
  props: { at: Number, language: String, clock: Boolean },
  computed: {
    date() {
      return new Date(this.at * 1000);
    },
    iso() {
      return this.date.toISOString();
    },
    text() {
      const parts = this.clock ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" };
      return this.date.toLocaleString(this.language, parts);
    },
    whole() {
      return this.date.toLocaleString(this.language, { dateStyle: "full", timeStyle: "long" });
    },
  },
};
