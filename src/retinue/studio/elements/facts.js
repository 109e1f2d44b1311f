// Names and values. Times are shown as the reader's machine has them.
export default {
  template: `
    <dl class="facts">
      <div v-for="fact in facts" :key="fact.label"><dt>{{ fact.label }}</dt>
        <dd :class="fact.kind"><time v-if="fact.kind === 'time'" :datetime="new Date(fact.value * 1000).toISOString()">{{ told(fact.value) }}</time>
          <a v-else-if="fact.href" :href="fact.href">{{ fact.value }}</a><template v-else>{{ fact.value }}</template></dd></div>
    </dl>`,
  props: { facts: Array, language: String },
  methods: {
    told(seconds) {
      return new Date(seconds * 1000).toLocaleString(this.language, { dateStyle: "medium", timeStyle: "medium" });
    },
  },
};
