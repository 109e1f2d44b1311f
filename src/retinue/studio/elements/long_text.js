// A field for texts of up to a megabyte: they stay in the browser while they are written, and go in parts when they rest.
const PART = 150_000;
export default {
  template: `
    <div class="long-text" @dragover.prevent @drop.prevent="(event) => read(event.dataTransfer.files[0])">
      <textarea ref="field" :aria-label="label" :placeholder="placeholder" :maxlength="most" spellcheck="false" rows="8" @input="changed"></textarea>
      <input ref="chooser" type="file" class="visually-hidden" tabindex="-1" :aria-label="chooserLabel" @change="(event) => read(event.target.files[0])">
    </div>`,
  props: { label: String, placeholder: String, chooserLabel: String, most: Number, kept: String },
  data: () => ({ timer: 0, round: 0 }),
  mounted() {
    const kept = sessionStorage.getItem(this.kept) ?? "";
    if (kept && !this.$refs.field.value) this.write(kept);
  },
  methods: {
    changed() {
      clearTimeout(this.timer);
      this.timer = setTimeout(this.send, 300);
    },
    send() {
      // A character of two units is not cut, and half of one is no text.
      const text = this.$refs.field.value.toWellFormed?.() ?? this.$refs.field.value;
      const parts = [];
      for (let at = 0; at < text.length || !parts.length; at += parts.at(-1).length) {
        const end = at + PART;
        parts.push(text.slice(at, /[\ud800-\udbff]/.test(text[end - 1] ?? "") ? end - 1 : end));
        if (!text) break;
      }
      const round = ++this.round;
      parts.forEach((part, i) => this.$emit("part", { round, last: i === parts.length - 1, text: part }));
      try {
        sessionStorage.setItem(this.kept, text);
      } catch {
        sessionStorage.removeItem(this.kept);
      }
    },
    write(text) {
      this.$refs.field.value = text;
      this.send();
    },
    choose() {
      this.$refs.chooser.click();
    },
    async read(file) {
      this.$refs.chooser.value = "";
      if (!file) return;
      // Four bytes are the most that a character has.
      if (file.size > this.most * 4) return this.$emit("refused", "large");
      try {
        const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
        if (text.length > this.most) return this.$emit("refused", "large");
        this.write(text);
      } catch {
        this.$emit("refused", "no_text");
      }
    },
  },
};
