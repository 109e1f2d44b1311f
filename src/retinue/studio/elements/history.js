// Chats at the side of a page, grouped by the days of the person's own clock.
export default {
  template: `
    <nav class="history" :aria-label="labels.history">
      <p v-if="!items.length" class="quiet none">{{ empty }}</p>
      <template v-for="group in groups" :key="group.name">
        <h2>{{ group.name }}</h2>
        <ul>
          <li v-for="item in group.items" :key="item.id" :class="{ current: item.current }">
            <a :href="at(item)" :aria-current="item.current ? 'page' : null" :title="item.title">{{ item.title }}</a>
            <q-btn v-if="writes" flat round dense size="sm" icon="more_horiz" :aria-label="labels.options + ': ' + item.title" aria-haspopup="menu">
              <q-menu auto-close anchor="bottom right" self="top right">
                <q-list role="menu">
                  <q-item clickable role="menuitem" @click="$emit('rename', item)"><q-item-section>{{ labels.rename }}</q-item-section></q-item>
                  <q-item v-if="!item.archived" clickable role="menuitem" @click="$emit('pin', { id: item.id, pinned: !item.pinned })"><q-item-section>{{ item.pinned ? labels.unpin : labels.pin }}</q-item-section></q-item>
                  <q-item clickable role="menuitem" @click="$emit('archive', { id: item.id, archived: !item.archived })"><q-item-section>{{ item.archived ? labels.unarchive : labels.archive }}</q-item-section></q-item>
                  <q-item clickable role="menuitem" @click="$emit('delete', item)"><q-item-section>{{ labels.delete }}</q-item-section></q-item>
                </q-list>
              </q-menu>
            </q-btn>
          </li>
        </ul>
      </template>
      <q-btn v-if="more" flat no-caps class="plain" :label="labels.more" @click="$emit('more')"></q-btn>
    </nav>`,
  props: { items: Array, labels: Object, empty: String, more: Boolean, writes: Boolean },
  methods: {
    at: (item) => `${window.path_prefix ?? ""}/chat/${encodeURIComponent(item.id)}`,
  },
  computed: {
    groups() {
      const language = document.documentElement.lang || undefined;
      const today = new Date().setHours(0, 0, 0, 0);
      const found = new Map();
      const archived = this.items.filter((item) => item.archived);
      const pinned = this.items.filter((item) => item.pinned && !item.archived);
      if (pinned.length) found.set(this.labels.pinned, pinned);
      for (const item of this.items.filter((one) => !one.pinned && !one.archived)) {
        const time = new Date(item.time * 1000);
        const days = Math.round((today - new Date(time).setHours(0, 0, 0, 0)) / 86_400_000);
        const year = time.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
        const name =
          days <= 0 ? this.labels.today
          : days === 1 ? this.labels.yesterday
          : days < 8 ? this.labels.week
          : days < 31 ? this.labels.month
          : time.toLocaleDateString(language, { month: "long", year });
        found.set(name, [...(found.get(name) ?? []), item]);
      }
      // Where all chats are looked through, those that were put away stand below.
      if (archived.length) found.set(this.labels.archived, archived);
      return [...found].map(([name, items]) => ({ name, items }));
    },
  },
};
