// Uploads files to the API, straight from the browser, so that it knows how far each has come.
const AT_ONCE = 3;

export default {
  template: `
    <div :class="['uploads', { over, brief }]" :data-purpose="purpose" @dragover.prevent="over = true" @dragleave="over = false" @drop.prevent="dropped">
      <div class="uploads-line">
        <button type="button" class="uploads-pick" @click="$refs.input.click()"><i class="q-icon material-icons" aria-hidden="true">upload</i>{{ labels.pick }}</button>
        <span class="quiet">{{ labels.drop }}</span>
        <input ref="input" type="file" multiple hidden tabindex="-1" :aria-label="labels.pick" @change="picked">
        <button v-if="items.length && !busy" type="button" class="uploads-clear" @click="items = []">{{ labels.clear }}</button>
      </div>
      <ul v-if="items.length">
        <li v-for="item in items" :key="item.key" :class="item.state">
          <span class="name">{{ item.name }}</span>
          <progress v-if="item.state === 'sending' || item.state === 'waiting'" max="1" :value="item.share" :aria-label="item.name"></progress>
          <span class="state">{{ said(item) }}</span>
          <button v-if="item.state === 'sending' || item.state === 'waiting'" type="button" :aria-label="labels.cancel + ': ' + item.name" :title="labels.cancel" @click="cancel(item)"><i class="q-icon material-icons" aria-hidden="true">close</i></button>
        </li>
      </ul>
      <p class="visually-hidden" role="status">{{ summary }}</p>
    </div>`,
  props: { labels: Object, headers: Object, purpose: String, brief: Boolean },
  data: () => ({ items: [], over: false, summary: "" }),
  computed: {
    busy() {
      return this.items.some((one) => one.state === "waiting" || one.state === "sending");
    },
  },
  methods: {
    said(item) {
      if (item.state === "sending") return `${Math.floor(item.share * 100)} %`;
      return item.state === "failed" ? item.error : this.labels[item.state];
    },
    picked(event) {
      this.take(event.target.files);
      event.target.value = "";
    },
    dropped(event) {
      this.over = false;
      this.take(event.dataTransfer.files);
    },
    take(files) {
      // The key makes the items different although names may be the same.
      for (const file of files) {
        this.items.push({ key: crypto.getRandomValues(new Uint32Array(2)).join("-"), name: file.name, file: Vue.markRaw(file), share: 0, state: "waiting" });
      }
      this.next();
    },
    next() {
      const sending = this.items.filter((one) => one.state === "sending").length;
      this.items.filter((one) => one.state === "waiting").slice(0, AT_ONCE - sending).forEach((one) => this.send(one));
      const done = this.items.filter((one) => one.state === "done").length;
      this.summary = this.labels.summary.replace("{done}", done).replace("{all}", this.items.length);
      if (this.brief) this.items = this.items.filter((one) => one.state !== "done" && one.state !== "cancelled");
      else if (this.items.length && !this.busy) this.$emit("settled", { done });
    },
    send(item) {
      const form = new FormData();
      form.append("purpose", this.purpose);
      form.append("file", item.file, item.name);
      const request = new XMLHttpRequest();
      item.request = Vue.markRaw(request);
      item.state = "sending";
      request.open("POST", `${window.path_prefix ?? ""}/v1/files`);
      for (const [name, value] of Object.entries(this.headers)) request.setRequestHeader(name, value);
      request.responseType = "json";
      request.upload.onprogress = (event) => (item.share = event.total ? event.loaded / event.total : 0);
      request.onload = () => {
        const ok = request.status === 200 && request.response?.id;
        if (ok) this.$emit("uploaded", request.response);
        this.end(item, ok ? "done" : "failed", request.response?.error?.message ?? this.labels.lost);
      };
      request.onerror = () => this.end(item, "failed", this.labels.lost);
      request.onabort = () => this.end(item, "cancelled");
      request.send(form);
    },
    cancel(item) {
      if (item.request) item.request.abort();
      else this.end(item, "cancelled");
    },
    end(item, state, error) {
      item.state = state;
      item.error = error;
      item.file = item.request = null;
      this.next();
    },
  },
};
