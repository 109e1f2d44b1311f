// What an agent thought and did, newest first. Python adds cycles and replaces them; the browser renders them.
const LONG = { lines: 12, characters: 900 };

export default {
  template: `
    <div class="cycles" @click="(event) => rich?.copyClicked(event, labels)">
      <p v-if="!cycles.length" class="empty">{{ empty }}</p>
      <ol v-else>
        <li v-for="cycle in cycles" :key="cycle.id" :class="['cycle', cycle.tone]" :data-number="cycle.number">
          <div class="cycle-mark" aria-hidden="true">{{ cycle.number }}</div>
          <div class="cycle-inside">
            <header>
              <h3><span class="visually-hidden">{{ cycle.number }}. </span>{{ cycle.title }}</h3><code v-if="cycle.command" class="quiet">{{ cycle.command }}</code>
              <span v-if="cycle.state" :class="['cycle-state', cycle.tone]">{{ cycle.state }}</span>
              <span class="cycle-note">{{ cycle.note }}<template v-if="cycle.note"> · </template><time :datetime="iso(cycle.at)">{{ clock(cycle.at) }}</time></span>
            </header>
            <div v-if="cycle.text && rich" class="text" v-html="html(cycle.text)"></div>
            <details v-if="cycle.thoughts.length" class="thoughts" :open="isOpen(cycle)" @toggle="(event) => toggled.set(cycle.id, event.target.open)">
              <summary>{{ cycle.thoughts.map((one) => one.label).join(" · ") }}</summary>
              <dl v-if="rich"><template v-for="one in cycle.thoughts" :key="one.label"><dt>{{ one.label }}</dt><dd class="text" v-html="html(one.text)"></dd></template></dl>
            </details>
            <dl v-if="cycle.args.length" class="args">
              <div v-for="one in cycle.args" :key="one.name" :class="{ block: isBlock(one.text) }">
                <dt class="mono">{{ one.name }}</dt>
                <dd v-if="!isBlock(one.text)" class="mono">{{ one.text }}</dd>
                <dd v-else-if="!isLong(one.text)" v-html="code(one)"></dd>
                <dd v-else><details @toggle="(event) => event.target.open && shown.add(cycle.id + one.name)"><summary>{{ first(one.text) }} <span class="quiet">{{ lengths(one.text) }}</span></summary><div v-if="shown.has(cycle.id + one.name)" v-html="code(one)"></div></details></dd>
              </div>
            </dl>
            <p v-if="cycle.feedback" class="feedback"><b>{{ labels.feedback }}</b> {{ cycle.feedback }}</p>
            <div v-if="cycle.result" :class="['outcome', { bad: cycle.result.failed }]">
              <b v-if="cycle.result.failed" class="outcome-failed">{{ labels.failed }}</b>
              <pre v-if="!isLong(cycle.result.text)" class="lines" tabindex="0">{{ cycle.result.text }}</pre>
              <details v-else @toggle="(event) => event.target.open && shown.add(cycle.id)"><summary>{{ first(cycle.result.text) }} <span class="quiet">{{ lengths(cycle.result.text) }}</span></summary><pre v-if="shown.has(cycle.id)" class="lines" tabindex="0">{{ cycle.result.text }}</pre></details>
              <p v-if="cycle.result.truncated" class="quiet">{{ labels.truncated }}</p>
            </div>
            <p v-if="cycle.files.length" class="cycle-files"><button v-for="path in cycle.files" :key="path" type="button" @click="$emit('file', path)"><i class="q-icon material-icons" aria-hidden="true">description</i>{{ path }}</button></p>
            <details v-if="cycle.repaired" class="repaired"><summary>{{ labels.repaired }}</summary><p>{{ cycle.repaired }}</p></details>
          </div>
        </li>
      </ol>
      <p v-if="more" class="older"><button type="button" :disabled="asking" @click="askOlder">{{ asking ? labels.loading : labels.older }}</button></p>
    </div>`,
  props: { initial: Array, initialMore: Boolean, labels: Object, saying: String },
  data: () => ({ cycles: [], more: false, asking: false, rich: null, version: 0, toggled: new Map(), shown: new Set(), empty: "" }),
  async created() {
    [this.cycles, this.more, this.empty] = [[...this.initial], this.initialMore, this.saying];
    this.rendered = new WeakMap();
    this.rich = Vue.markRaw(await import(`${window.path_prefix ?? ""}/static/rich-text.mjs`));
  },
  methods: {
    put(cycles) {
      for (const cycle of cycles) {
        const at = this.cycles.findIndex((one) => one.number <= cycle.number);
        if (at < 0) this.cycles.push(cycle);
        else this.cycles.splice(at, this.cycles[at].id === cycle.id ? 1 : 0, cycle);
      }
    },
    older(cycles, more) {
      this.cycles.push(...cycles.filter((one) => !this.cycles.some((other) => other.id === one.id)));
      [this.more, this.asking] = [more, false];
    },
    say(empty) {
      this.empty = empty;
    },
    askedInVain() {
      this.asking = false;
    },
    askOlder() {
      this.asking = true;
      this.$emit("older");
    },
    // The newest shows all of its thoughts, unless somebody has closed them.
    isOpen(cycle) {
      return this.toggled.get(cycle.id) ?? cycle === this.cycles[0];
    },
    html(text) {
      void this.version;
      return this.rich.render(text, { labels: this.labels }, () => this.version++);
    },
    code(one) {
      return this.rich?.codeBlock(one.text, one.language, this.labels) ?? "";
    },
    isBlock: (text) => text.includes("\n") || text.length > 160,
    isLong: (text) => text.length > LONG.characters || text.split("\n").length > LONG.lines,
    first(text) {
      const line = text.split("\n").find((one) => one.trim()) ?? "";
      return line.length > 120 ? line.slice(0, 120) + "…" : line;
    },
    lengths(text) {
      return this.labels.lines.replace("{count}", text.split("\n").length.toLocaleString());
    },
    iso: (seconds) => new Date(seconds * 1000).toISOString(),
    clock(seconds) {
      const at = new Date(seconds * 1000);
      const day = at.toDateString() === new Date().toDateString() ? {} : { month: "short", day: "numeric" };
      return at.toLocaleString(document.documentElement.lang, { ...day, hour: "2-digit", minute: "2-digit", second: "2-digit" });
    },
  },
};
