// A table that sorts, shows its rows by and by, and becomes a list of cards on a phone. Python gives the rows.
export default {
  template: `
    <div class="listing">
      <p v-if="!rows.length" class="empty">{{ empty }}</p>
      <table v-else role="table">
        <caption class="visually-hidden">{{ caption }}</caption>
        <thead role="rowgroup"><tr role="row">
          <th v-for="column in columns" :key="column.name" role="columnheader" scope="col" :class="column.kind" :aria-sort="by === column.name ? (down ? 'descending' : 'ascending') : null">
            <button v-if="column.sorts" type="button" @click="sort(column)">{{ column.label }}<i class="q-icon material-icons" aria-hidden="true">{{ by === column.name ? (down ? 'arrow_downward' : 'arrow_upward') : '' }}</i></button>
            <template v-else>{{ column.label }}</template>
          </th>
          <th v-if="actions.length" role="columnheader" scope="col"><span class="visually-hidden">{{ labels.actions }}</span></th>
        </tr></thead>
        <tbody role="rowgroup">
          <tr v-for="row in shown" :key="row.id" role="row" :data-id="row.id">
            <td v-for="(column, at) in columns" :key="column.name" role="cell" :class="[column.kind, { first: at === 0 }]" :data-label="column.label">
              <a v-if="cell(row, column).href" :href="cell(row, column).href" :class="cell(row, column).look">{{ words(row, column) }}</a>
              <span v-else :class="cell(row, column).look">{{ words(row, column) }}</span>
              <p v-for="note in cell(row, column).notes ?? []" :class="['cell-note', note.look]">{{ note.time ? note.text.replace("{when}", clock(note.time)) : note.text }}</p>
            </td>
            <td v-if="actions.length" role="cell" class="row-actions">
              <button v-for="action in actions.filter((one) => !row.actions || row.actions.includes(one.name))" :key="action.name" type="button" :title="action.label" :aria-label="action.label + ': ' + row.name" @click="$emit('action', { name: action.name, id: row.id })"><i class="q-icon material-icons" aria-hidden="true">{{ action.icon }}</i></button>
            </td>
          </tr>
        </tbody>
      </table>
      <button v-if="rows.length > most" type="button" class="more" @click="most += 100">{{ labels.more }} ({{ rows.length - most }})</button>
    </div>`,
  props: { columns: Array, rows: Array, actions: Array, labels: Object, caption: String, empty: String, order: Object },
  data() {
    return { by: this.order?.by ?? "", down: this.order?.down ?? false, most: 100 };
  },
  computed: {
    ordered() {
      if (!this.by) return this.rows;
      const compare = new Intl.Collator(document.documentElement.lang, { numeric: true }).compare;
      const value = (row) => this.value(row, this.by);
      const sorted = [...this.rows].sort((one, other) => {
        const [a, b] = [value(one), value(other)];
        return typeof a === "number" && typeof b === "number" ? a - b : compare(String(a), String(b));
      });
      return this.down ? sorted.reverse() : sorted;
    },
    shown() {
      return this.ordered.slice(0, this.most);
    },
  },
  methods: {
    cell(row, column) {
      const cell = row.cells[column.name];
      return cell !== null && typeof cell === "object" ? cell : { text: cell };
    },
    value(row, name) {
      const cell = this.cell(row, { name });
      return cell.sort ?? cell.time ?? cell.text ?? "";
    },
    // Times are told as the browser's own clock and language have them.
    words(row, column) {
      const cell = this.cell(row, column);
      if (cell.time === undefined) return cell.text;
      if (!cell.time) return "–";
      return this.clock(cell.time);
    },
    clock: (seconds) => new Date(seconds * 1000).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" }),
    sort(column) {
      if (this.by === column.name) this.down = !this.down;
      else [this.by, this.down] = [column.name, column.kind === "number" || column.kind === "time"];
    },
  },
};
