export default {
  template: `<time :datetime="iso" :title="whole">{{ text }}</time>`,
  props: { at: Number, language: String },
  computed: {
    date() {
      return new Date(this.at * 1000);
    },
    iso() {
      return this.date.toISOString();
    },
    text() {
      return this.date.toLocaleString(this.language, { dateStyle: "medium", timeStyle: "short" });
    },
    whole() {
      return this.date.toLocaleString(this.language, { dateStyle: "full", timeStyle: "long" });
    },
  },
};
