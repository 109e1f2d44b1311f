// A table whose rows lead somewhere. Times are shown as the reader's machine has them.
export default {
  template: `
    <div class="log-wrap"><table class="log">
      <caption class="visually-hidden">{{ caption }}</caption>
      <thead><tr><th v-for="column in columns" :key="column.key" scope="col" :class="column.kind">{{ column.label }}</th></tr></thead>
      <tbody><tr v-for="row in rows" :key="row.href">
        <td v-for="(column, at) in columns" :key="column.key" :class="[column.kind, row.tones?.[column.key]]" :data-label="column.label">
          <a v-if="at === 0" :href="row.href">{{ told(column, row) }}</a><template v-else>{{ told(column, row) }}</template>
        </td></tr></tbody>
    </table></div>`,
  props: { columns: Array, initial: Array, caption: String, language: String },
  data: () => ({ rows: [] }),
  created() {
    this.rows = [...this.initial];
  },
  methods: {
    add(rows) {
      this.rows.push(...rows);
    },
    show(rows) {
      this.rows = rows;
    },
    begin(rows) {
      this.rows.unshift(...rows);
    },
    told(column, row) {
      const value = row[column.key] ?? "";
      if (column.kind !== "time" || value === "") return value;
      const options = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" };
      const time = new Date(value * 1000);
      if (time.getFullYear() !== new Date().getFullYear()) options.year = "numeric";
      return time.toLocaleString(this.language, options);
    },
  },
};
