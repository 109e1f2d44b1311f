// Things that open by a click: JSON, code or plain text, rendered when they are opened.
export default {
  template: `
    <div class="objects" @click="(event) => rich?.copyClicked(event, labels)">
      <details v-for="(thing, at) in things" :key="at" :open="opened.has(at)" @toggle="(event) => toggled(at, event.target.open)">
        <summary><span class="name">{{ thing.title }}</span><span v-if="thing.note" class="note">{{ thing.note }}</span></summary>
        <template v-if="opened.has(at) && rich">
          <div v-if="thing.language === ''" class="code-block"><div class="code-head"><span></span><button type="button" data-copy>{{ labels.copy }}</button></div><pre tabindex="0" class="lines"><code>{{ thing.text }}</code></pre></div>
          <div v-else class="text" v-html="html(thing)"></div>
        </template>
      </details>
    </div>`,
  props: { initial: Array, labels: Object },
  data: () => ({ things: [], opened: new Set(), rich: null }),
  async created() {
    this.add(this.initial);
    this.rich = Vue.markRaw(await import(`${window.path_prefix ?? ""}/static/rich-text.mjs`));
  },
  methods: {
    add(things) {
      things.forEach((thing) => {
        if (thing.open) this.opened.add(this.things.length);
        this.things.push(Object.freeze(thing));
      });
    },
    toggled(at, open) {
      if (open) this.opened.add(at);
      else this.opened.delete(at);
    },
    html(thing) {
      const text = "value" in thing ? JSON.stringify(thing.value, null, 2) : thing.text;
      return this.rich.codeBlock(text, thing.language ?? "json", this.labels);
    },
  },
};
